import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { expect, it, onTestFinished, vi } from "vitest";
import { FrontDoor, type Route } from "../../../scripts/chaos/fleet/front-door.ts";

/** Answers each connection with `name`; keeps what connects. */
async function target(name: string) {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => {});
    socket.write(name);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, sockets };
}

async function openDoor(route: Route) {
  const door = await new FrontDoor(route).open();
  onTestFinished(() => door.close());
  const visit = async () => {
    const socket = connect(Number(new URL(door.url).port), "127.0.0.1");
    const errors: string[] = [];
    socket.on("error", (error: NodeJS.ErrnoException) => errors.push(error.code ?? ""));
    const closed = once(socket, "close").catch(() => []);
    onTestFinished(() => void socket.destroy());
    const [said] = (await Promise.race([once(socket, "data"), closed])) as [Buffer?];
    return { socket, closed, errors, said: said?.toString() };
  };
  return { door, visit };
}

it("passes over a target that refuses, and takes its connections with one that dies", async () => {
  const gone = await target("gone");
  const alive = await target("alive");
  let ports = [1, alive.port];
  const { visit } = await openDoor(() => ports);
  expect((await visit()).said).toBe("alive");

  ports = [gone.port];
  const visitor = await visit();
  gone.sockets[0]?.destroy();
  await visitor.closed;
  expect(visitor.socket.destroyed).toBe(true);
});

it("tells the route how many connections each target has", async () => {
  const a = await target("a");
  const b = await target("b");
  const byLoad: Route = (connections) =>
    [a.port, b.port].sort((x, y) => (connections.get(x) ?? 0) - (connections.get(y) ?? 0));
  const { visit } = await openDoor(byLoad);
  const said = [(await visit()).said, (await visit()).said, (await visit()).said, (await visit()).said];
  expect(said.sort()).toEqual(["a", "a", "b", "b"]);
});

it("cuts both sides, or the client's alone, so that the edge believes it is still there", async () => {
  const edge = await target("edge");
  const { door, visit } = await openDoor(() => [edge.port]);
  const first = await visit();
  expect(door.cut(5, () => 0)).toBe(1);
  await first.closed;
  expect(first.errors).toEqual(["ECONNRESET"]);
  await vi.waitFor(() => expect(edge.sockets[0]?.destroyed).toBe(true));

  const second = await visit();
  door.cut(1, () => 0, "client");
  await second.closed;
  const third = await visit();
  expect(third.said).toBe("edge");
  expect(edge.sockets[1]?.destroyed).toBe(false);
});
