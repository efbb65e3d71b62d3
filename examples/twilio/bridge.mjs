/**
 * A telephone call that is spoken to: Twilio's Media Streams on one side, an edge on the other, µ-law all the way.
 *
 *   TWILIO_AUTH_TOKEN=… PUBLIC_URL=wss://calls.example.com TTS_URL=http://localhost:8006 node bridge.mjs
 *
 * and as TwiML: <Connect><Stream url="wss://calls.example.com/twilio"><Parameter name="text" value="Hello." /></Stream></Connect>
 *
 * Twilio plays whatever it is sent, in order, and holds any amount of it, so the edge sends in real time (delivery=paced, 0.4 s
 * ahead at most). A mark every 200 ms comes back once all audio before it has been played: that is how the edge learns what was
 * heard. When the caller talks over the speech, `interrupt` empties Twilio's buffer ("clear"); the marks that it throws away come
 * back at once as well, and are no sign of anything heard.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { WebSocket, WebSocketServer } from "ws";

const PATH = "/twilio";
const SAMPLES_PER_MS = 8;
const FRAME_SAMPLES = 160;
const MARK_EVERY_MS = 200;
/** The header of the native protocol's audio frames: docs/asyncapi.yaml. */
const HEADER_BYTES = 16;
/** Messages before the edge has greeted; more is no telephone. */
const MAX_WAITING = 64;

/** One call, from Twilio's `start` to its `stop`. */
export class Call {
  /** What the TwiML has given the stream as <Parameter>s. */
  params = {};
  streamSid = "";
  /** Told of what was heard: after each cancel, and at the end of each utterance. */
  onHeard = () => {};
  #twilio;
  #edge;
  #waiting = [];
  /** Ids of utterances by their number in the session. */
  #ids = new Map();
  /** Marks on their way, in order, and those that a clear has thrown away. */
  #marks = [];
  #cleared = new Set();
  #markedMs = 0;
  #utterance = 0;

  constructor(twilio, start, { ttsUrl, ttsApiKey }) {
    this.#twilio = twilio;
    this.streamSid = start.streamSid;
    this.params = start.customParameters ?? {};
    const query = new URLSearchParams({
      encoding: "mulaw",
      frame_samples: String(FRAME_SAMPLES),
      delivery: "paced",
      session_id: start.callSid,
    });
    const headers = ttsApiKey === undefined ? {} : { authorization: `Bearer ${ttsApiKey}` };
    this.#edge = new WebSocket(`${ttsUrl.replace(/^http/, "ws")}/api/v1/stream?${query}`, { headers });
    this.#edge.on("message", (data, isBinary) => {
      if (isBinary) this.#play(data);
      else this.#hear(JSON.parse(String(data)));
    });
    this.#edge.on("error", (error) => this.end(`the edge is away: ${error.message}`));
    this.#edge.on("close", () => this.end());
  }

  /** Speaks a text, or pieces of one as they come. Texts are spoken one after the other. */
  async say(text, options = {}) {
    const pieces = typeof text === "string" ? [text] : text;
    for await (const piece of pieces) this.#toEdge({ type: "text", text: piece, ...options });
    this.#toEdge({ type: "stream_end" });
  }

  /** The caller talks: nothing more of this is to be heard. */
  interrupt() {
    for (const { name } of this.#marks) this.#cleared.add(name);
    this.#marks = [];
    this.#toTwilio({ event: "clear" });
    this.#toEdge({ type: "cancel" });
  }

  /** Twilio has played everything before the mark of that name, or has thrown it away. */
  onMark(name) {
    if (this.#cleared.delete(name)) return;
    const at = this.#marks.findIndex((mark) => mark.name === name);
    if (at < 0) return;
    const { utterance, samples } = this.#marks[at];
    this.#marks.splice(0, at + 1);
    const utterance_id = this.#ids.get(utterance);
    if (utterance_id !== undefined) this.#toEdge({ type: "played", utterance_id, samples });
  }

  end(reason) {
    if (reason !== undefined) console.error(reason);
    this.#edge.close(1000);
    this.#twilio.close(1000);
  }

  #hear(message) {
    switch (message.type) {
      case "connected":
        for (const waiting of this.#waiting.splice(0)) this.#edge.send(waiting);
        return;
      case "utterance_started":
        this.#ids.set(message.utterance, message.utterance_id);
        return;
      case "cancelled":
      case "stream_complete":
        this.onHeard(message);
        return;
      case "error":
        console.error(`${message.code}: ${message.message}`);
    }
  }

  /** @param frame of the native protocol: its header, and one byte a sample */
  #play(frame) {
    const utterance = frame.readUInt32LE(4);
    const payload = frame.subarray(HEADER_BYTES);
    const samples = frame.readUInt32LE(8) + payload.length;
    this.#toTwilio({ event: "media", media: { payload: payload.toString("base64") } });
    if (utterance !== this.#utterance) this.#markedMs = 0;
    this.#utterance = utterance;
    const ms = samples / SAMPLES_PER_MS;
    const isLast = (frame[1] & 1) !== 0;
    if (ms - this.#markedMs < MARK_EVERY_MS && !isLast) return;
    this.#markedMs = ms;
    const name = `u${utterance}:${Math.round(ms)}`;
    this.#marks.push({ name, utterance, samples });
    this.#toTwilio({ event: "mark", mark: { name } });
  }

  #toTwilio(message) {
    const { streamSid } = this;
    if (this.#twilio.readyState === WebSocket.OPEN)
      this.#twilio.send(JSON.stringify({ ...message, streamSid }));
  }

  #toEdge(message) {
    const text = JSON.stringify(message);
    if (this.#edge.readyState === WebSocket.OPEN) this.#edge.send(text);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(text);
  }
}

/** Twilio signs the address that it connects to with the account's token. */
function isFromTwilio(request, { authToken, publicUrl }) {
  if (authToken === undefined) return true;
  const right = createHmac("sha1", authToken).update(`${publicUrl}${PATH}`).digest();
  const shown = Buffer.from(String(request.headers["x-twilio-signature"] ?? ""), "base64");
  return shown.length === right.length && timingSafeEqual(shown, right);
}

/**
 * @param options.onCall is given each call as it starts
 * @returns the port it listens on, and how to end it
 */
export async function startBridge(options) {
  const server = createServer((_, response) => response.writeHead(404).end());
  const sockets = new WebSocketServer({ noServer: true, maxPayload: 64 * 1_024 });
  server.on("upgrade", (request, socket, head) => {
    const isCall = request.url === PATH && isFromTwilio(request, options);
    if (!isCall) socket.end("HTTP/1.1 403 Forbidden\r\n\r\n");
    else sockets.handleUpgrade(request, socket, head, (twilio) => take(twilio, options));
  });
  server.listen(options.port ?? 0, options.host ?? "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    for (const twilio of sockets.clients) twilio.terminate();
    server.close();
    await once(server, "close");
  };
  return { port: server.address().port, close };
}

function take(twilio, options) {
  let call;
  twilio.on("message", (data) => {
    const message = JSON.parse(String(data));
    if (message.event === "start" && call === undefined) {
      call = new Call(twilio, message.start, options);
      options.onCall(call);
    } else if (message.event === "mark") call?.onMark(message.mark.name);
    else if (message.event === "stop") call?.end();
    // "media" is what the caller says: a recogniser's affair, which calls `interrupt` when speech begins.
  });
  twilio.on("close", () => call?.end());
  twilio.on("error", () => {});
}

if (process.argv[1] === import.meta.filename) {
  const { TTS_URL: ttsUrl = "http://localhost:8006", TTS_API_KEY: ttsApiKey, PORT = "8080" } = process.env;
  const { TWILIO_AUTH_TOKEN: authToken, PUBLIC_URL: publicUrl = "" } = process.env;
  const bridge = await startBridge({
    port: Number(PORT),
    host: "0.0.0.0",
    ttsUrl,
    ttsApiKey,
    authToken,
    publicUrl,
    onCall: (call) => void call.say(call.params.text ?? "Hello. Nobody has told me what to say."),
  });
  console.log(`Twilio may call at port ${bridge.port}, path ${PATH}`);
}
