import { Player } from "@tts-labs/client/player/player";
import { SpeechError } from "@tts-labs/client/speech-error";
import type { UtteranceEvents, UtteranceTotals } from "@tts-labs/client/utterance";
import { listVoices } from "@tts-labs/client/voices";
import { type LinkState, ServerLink } from "./server-link.ts";
import { Speech } from "./speech.ts";
import { type Activity, NO_FIGURES } from "./state.ts";
import { View } from "./view.ts";
import { Waveform } from "./waveform.ts";
import { Caption } from "./words/words.ts";

/** Puts the page together: link, view, player and the speech of the moment. */
const view = new View({ onSpeak: () => void speak(), onStop: stop, onVoice: prewarm });
const caption = new Caption(view.caption);
const waveform = new Waveform(view.canvas);
const link = new ServerLink(onLink);

let player: Promise<Player> | undefined;
let analyser: AnalyserNode | undefined;
let speech: Speech | undefined;
/** Counts presses of Speak: a press that was overtaken while its player opened gives way. */
let press = 0;
/** Speak was pressed while the server was away: it is done when the server is back. */
let isWanted = false;
let figures = NO_FIGURES;
let outcome: string | undefined;
let drawing = false;

window.ttsLabs = {
  state: () => ({
    link: link.state.kind,
    activity: activity(),
    figures: speech?.figures ?? figures,
    words: caption.track.words,
    outcome,
  }),
};

const workletUrl = document.body.dataset["worklet"] ?? "/fastrtc/player-worklet.js";
// Into the browser's cache now: the server may be away when it is needed.
void fetch(workletUrl)
  .then((response) => response.arrayBuffer())
  .catch(() => {});
// A browser allows sound after the first touch or key; by the time of the click the player is ready.
for (const gesture of ["pointerdown", "keydown"]) {
  document.addEventListener(gesture, () => void openPlayer().catch(() => {}), { once: true });
}
view.showVoices([], "");
void link.open();
setInterval(showAway, 500);

function activity(): Activity {
  if (speech !== undefined) return speech.receiving ? "waiting" : "speaking";
  return link.client === undefined ? "offline" : "idle";
}

function openPlayer(): Promise<Player> {
  if (player === undefined) {
    player = Player.open({
      workletUrl,
      sampleRateHz: link.client?.session.sample_rate ?? 24_000,
    });
    player.then(
      (opened) => {
        analyser = opened.analyser;
      },
      () => {
        player = undefined;
      },
    );
  }
  return player;
}

async function speak(): Promise<void> {
  const request = {
    ...view.request,
    askedAtMs: performance.now(),
    onFailed: (error: SpeechError) => view.showError(error),
    onSubstituted: (told: UtteranceEvents["substituted"]) => view.showSubstitute(told),
  };
  if (request.text === "") {
    view.focusText();
    return;
  }
  if (link.client === undefined) {
    waitForServer();
    return;
  }
  isWanted = false;
  const mine = ++press;
  speech?.stop();
  view.showError(undefined);
  view.showSubstitute(undefined);
  view.showTotals("");
  try {
    const opened = await openPlayer();
    // The player may have taken its time: is this still wanted, and is there still a server?
    const client = link.client;
    if (mine !== press) return;
    if (client === undefined) {
      waitForServer();
      return;
    }
    const begun = new Speech(client, opened, caption, request);
    speech = begun;
    outcome = undefined;
    view.announce("Speaking.");
    draw();
    void begun.done.then((end) => onDone(begun, end));
  } catch (error) {
    view.showError(error instanceof SpeechError ? error : new SpeechError("client.player_failed"));
  }
}

/** Speaks once the server is there. A server that does not let us in is not waited for. */
function waitForServer(): void {
  if (link.state.kind === "refused") return;
  isWanted = true;
  view.showError("The server is away. This is spoken as soon as it is back.");
  showActivity();
}

function showActivity(): void {
  view.showActivity(activity(), { canSpeak: link.state.kind !== "refused", canStop: isWanted });
}

function stop(): void {
  press++;
  if (isWanted) view.showError(undefined);
  isWanted = false;
  showActivity();
  speech?.stop();
}

function prewarm(): void {
  const { voice } = view.request;
  void link.client?.prewarm(voice === "" ? {} : { voice });
}

function onDone(ended: Speech, end: UtteranceTotals | SpeechError): void {
  if (speech !== ended) return;
  figures = ended.figures;
  speech = undefined;
  const stopped = ended.stoppedAfter;
  if (end instanceof SpeechError) {
    outcome = end.code;
    view.showError(end);
  } else if (stopped !== undefined) {
    outcome = "cancelled";
    const words = caption.track.words.length;
    const heard = stopped.textHeard.match(/\S+/g)?.length ?? 0;
    view.showTotals(
      `Stopped after ${(stopped.heardMs / 1000).toFixed(1)} s: ${heard} of ${words} words heard`,
    );
    view.announce("Stopped.");
  } else {
    outcome = end.outcome;
    const seconds = (end.durationMs / 1000).toFixed(1);
    view.showTotals(`${seconds} s of speech in ${end.frames} frames`);
    view.announce(`Finished: ${seconds} seconds.`);
    caption.light(Number.POSITIVE_INFINITY);
  }
  caption.end(stopped?.textHeard);
  view.showFigures(figures);
  showActivity();
  // Nothing of it was heard, and nothing of it was wrong: it is spoken when the server is back.
  if (
    end instanceof SpeechError &&
    LINK_LOST.has(end.code) &&
    figures.firstAudioMs === null &&
    stopped === undefined
  ) {
    waitForServer();
  }
}

/** The session is gone with its connection, or with its server; the page opens another. */
const LINK_LOST: ReadonlySet<string> = new Set([
  "client.resume_timeout",
  "client.disconnected",
  "client.connect_failed",
  "session.unknown",
  "session.position_gone",
]);

function onLink(state: LinkState): void {
  view.showLink(state, performance.now());
  showActivity();
  if (state.kind === "refused") view.showError(state.reason);
  if (state.kind !== "open") return;
  if (isWanted) void speak();
  if (state.resumed) {
    view.announce("Connected again.");
    return;
  }
  void listVoices(location.origin).then((voices) => {
    view.showVoices(voices, state.client.session.voice);
    prewarm();
  });
}

function showAway(): void {
  if (link.state.kind === "away") view.showLink(link.state, performance.now());
}

/** Draws while there is something to be seen moving, then rests. */
function draw(): void {
  if (drawing) return;
  drawing = true;
  const next = (nowMs: number) => {
    if (speech !== undefined) {
      figures = speech.figures;
      caption.light(figures.heardMs);
      view.showFigures(figures);
      showActivity();
    }
    waveform.update(nowMs, analyser);
    drawing = speech !== undefined || waveform.moving;
    if (drawing) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}
