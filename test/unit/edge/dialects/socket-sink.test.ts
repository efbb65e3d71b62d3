import type { WebSocket } from "uWebSockets.js";
import { ByteBudget } from "@tts-labs/core/async/byte-budget";
import { SocketSink } from "@tts-labs/edge/dialects/native/socket-sink";
import { GatewayError } from "@tts-labs/protocol/errors";
import { beforeEach, describe, expect, test, vi } from "vitest";

/** What uWS does, as far as the sink uses it: every call on a closed socket throws. */
class FakeSocket {
  buffered = 0;
  answer = 1;
  readonly calls: string[] = [];
  #closed = false;

  send(): number {
    this.#called("send");
    return this.answer;
  }
  getBufferedAmount(): number {
    if (this.#closed) throw new Error("Invalid access of closed uWS.WebSocket");
    return this.buffered;
  }
  cork(run: () => void): void {
    this.#called("cork");
    run();
  }
  end(code: number): void {
    this.#called(`end ${code}`);
    this.#closed = true;
  }
  close(): void {
    this.#called("close");
    this.#closed = true;
  }
  #called(what: string): void {
    if (this.#closed) throw new Error("Invalid access of closed uWS.WebSocket");
    this.calls.push(what);
  }
}

let socket: FakeSocket;
let sink: SocketSink<unknown>;
beforeEach(() => {
  socket = new FakeSocket();
  sink = new SocketSink(socket as unknown as WebSocket<unknown>, {
    highWaterBytes: 100,
    closeFrameBytes: 1_000,
  });
});

describe("the sink of a WebSocket", () => {
  test("takes until its own high-water mark", () => {
    socket.buffered = 99;
    expect(sink.writable).toBe(true);
    socket.buffered = 100;
    expect(sink.writable).toBe(false);
  });

  test("a message that uWS dropped ends the connection, after the cork", async () => {
    socket.answer = 2;
    sink.batch(() => {
      sink.sendMessage({ type: "pong" });
      sink.sendMessage({ type: "pong" });
      expect(socket.calls).toEqual(["cork", "send"]);
    });
    expect(sink.writable).toBe(false);
    await Promise.resolve();
    expect(socket.calls).toEqual(["cork", "send", "close"]);
  });

  test("never touches a socket that is closed", () => {
    sink.onClosed();
    sink.batch(() => sink.sendMessage({ type: "pong" }));
    sink.sendMessage({ type: "pong" });
    sink.refuse(new GatewayError("draining"));
    expect([sink.writable, sink.bufferedBytes, socket.calls]).toEqual([false, 0, []]);
  });

  test("tells why it closes, once", () => {
    sink.refuse(new GatewayError("draining"));
    sink.refuse(new GatewayError("draining"));
    expect(socket.calls).toEqual(["cork", "send", "end 4001"]);
  });

  test("past its high-water mark it tells why behind what is buffered", () => {
    socket.buffered = 900;
    sink.refuse(new GatewayError("capacity.slow_client"));
    expect(socket.calls).toEqual(["cork", "send", "end 4002"]);
  });

  test("near uWS' own bound it closes without a close frame, which uWS would drop", () => {
    socket.buffered = 5_000;
    sink.refuse(new GatewayError("capacity.slow_client"));
    expect(socket.calls).toEqual(["close"]);
  });
});

describe("what all sockets hold unread", () => {
  const open = (maxBytes: number) => {
    const bytes = new ByteBudget(maxBytes);
    const paused = vi.fn();
    const connect = () => {
      const of = new FakeSocket();
      const limits = { highWaterBytes: 100, closeFrameBytes: 1_000, unread: { bytes, paused } };
      return { of, sink: new SocketSink(of as unknown as WebSocket<unknown>, limits) };
    };
    return { bytes, paused, connect };
  };

  test("is bounded: then only a socket whose client reads is given more, and the others once there is room", () => {
    const { bytes, paused, connect } = open(150);
    const [one, two, reader] = [connect(), connect(), connect()];
    for (const { of, sink: its } of [one, two]) {
      of.buffered = 80;
      its.sendMessage({ type: "pong" });
    }
    expect(bytes.takenBytes).toBe(160);
    expect([one, two, reader].map((it) => it.sink.writable)).toEqual([false, false, true]);
    expect(one.sink.writable).toBe(false);
    expect(paused).toHaveBeenCalledTimes(2);
    one.of.buffered = 20;
    one.sink.onDrain();
    expect([one, two].map((it) => it.sink.writable)).toEqual([true, true]);
    two.sink.close(4002, "slow");
    expect(bytes.takenBytes).toBe(20);
    one.of.buffered = 90;
    one.sink.batch(() => {});
    one.sink.onClosed();
    one.sink.onClosed();
    expect(bytes.takenBytes).toBe(0);
  });

  test("grows with every socket where there is no bound (negative twin)", () => {
    const { paused, connect } = open(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 100; i++) {
      const { of, sink: its } = connect();
      of.buffered = 99;
      expect(its.writable).toBe(true);
    }
    expect(paused).not.toHaveBeenCalled();
  });
});
