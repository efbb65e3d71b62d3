import type { WebSocket } from "uWebSockets.js";
import { SocketSink } from "@tts-labs/edge/dialects/native/socket-sink";
import { GatewayError } from "@tts-labs/protocol/errors";
import { beforeEach, describe, expect, test } from "vitest";

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
