import { SpeechError } from "@tts-labs/client/speech-error";
import type { UtteranceEvents } from "@tts-labs/client/utterance";
import type { Voice } from "@tts-labs/client/voices";
import { ERROR_CATALOGUE } from "@tts-labs/protocol/errors";
import type { LinkState } from "./server-link.ts";
import type { SpeechFigures } from "./speech.ts";
import type { Activity } from "./state.ts";
import { SAMPLE_SENTENCES, type SampleSentence } from "./words/sentences.ts";

export interface ViewActions {
  onSpeak(): void;
  onStop(): void;
  onVoice(): void;
}

const LANGUAGES: Readonly<Record<string, string>> = { de: "Deutsch", en: "English" };

/** The page's elements: what the person sees and touches. Holds no state but theirs. */
export class View {
  readonly canvas = element("waveform", HTMLCanvasElement);
  readonly caption = element("caption", HTMLParagraphElement);
  readonly #form = element("composer", HTMLFormElement);
  readonly #text = element("text", HTMLTextAreaElement);
  readonly #voice = element("voice", HTMLSelectElement);
  readonly #typing = element("typing", HTMLInputElement);
  readonly #speak = element("speak", HTMLButtonElement);
  readonly #stop = element("stop", HTMLButtonElement);
  readonly #connection = element("connection", HTMLElement);
  readonly #message = element("message", HTMLElement);
  readonly #note = element("note", HTMLElement);
  readonly #voices = new Map<string, Voice>();

  constructor(actions: ViewActions) {
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      actions.onSpeak();
    });
    this.#stop.addEventListener("click", () => actions.onStop());
    this.#voice.addEventListener("change", () => {
      this.#matchSample();
      actions.onVoice();
    });
    document.addEventListener("keydown", (event) => {
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
        event.preventDefault();
        this.#form.requestSubmit(this.#speak.disabled ? null : this.#speak);
      } else if (event.key === "Escape") actions.onStop();
    });
    if (/Mac|iPhone|iPad/.test(navigator.userAgent)) show("speak-keys", "⌘ ↵");
    element("samples", HTMLElement).append(...SAMPLE_SENTENCES.map((sample) => this.#chip(sample)));
    this.#showSample(navigator.language.slice(0, 2));
  }

  get request(): { text: string; voice: string; language: string; typing: boolean } {
    const voice = this.#voice.value;
    return {
      text: this.#text.value.trim(),
      voice,
      language: this.#voices.get(voice)?.language ?? "",
      typing: this.#typing.checked,
    };
  }

  focusText(): void {
    this.#text.focus();
  }

  /** Keeps the person's choice where the voice is still there. */
  showVoices(voices: readonly Voice[], preferred: string): void {
    const chosen = this.#voices.has(this.#voice.value) ? this.#voice.value : preferred;
    this.#voices.clear();
    for (const voice of voices) this.#voices.set(voice.id, voice);
    if (voices.length === 0) {
      this.#voice.replaceChildren(new Option("The server's own", ""));
      return;
    }
    const languages = new Set(voices.map(({ language }) => language));
    this.#voice.replaceChildren(
      ...[...languages].map((language) => {
        const group = document.createElement("optgroup");
        group.label = LANGUAGES[language] ?? (language === "" ? "Voices" : language);
        const ofLanguage = voices.filter((voice) => voice.language === language);
        group.append(...ofLanguage.map(({ id, name }) => new Option(name, id)));
        return group;
      }),
    );
    this.#voice.value = this.#voices.has(chosen) ? chosen : (voices[0]?.id ?? "");
    this.#matchSample();
  }

  showLink(state: LinkState, nowMs: number): void {
    this.#connection.dataset["state"] = state.kind;
    show("connection-text", describeLink(state, nowMs));
    if (state.kind === "open") {
      const { session_id, model, sample_rate } = state.client.session;
      show("session", `${session_id} · ${model} · ${sample_rate / 1000} kHz`);
    }
  }

  showActivity(activity: Activity, can: { readonly canSpeak: boolean; readonly canStop: boolean }): void {
    document.body.dataset["activity"] = activity;
    this.#speak.disabled = !can.canSpeak;
    this.#stop.disabled = !can.canStop && (activity === "offline" || activity === "idle");
  }

  showFigures(figures: SpeechFigures): void {
    show("first-audio", figures.firstAudioMs === null ? "–" : figures.firstAudioMs.toFixed(0));
    show("buffer", figures.bufferedMs.toFixed(0));
    show("heard", (figures.heardMs / 1000).toFixed(1));
    show("heard-of", figures.receivedMs > 0 ? `of ${(figures.receivedMs / 1000).toFixed(1)} s` : "s");
    show("gaps", String(figures.underruns));
  }

  showTotals(text: string): void {
    show("totals", text);
  }

  /** For those who listen to the page rather than look at it. */
  announce(text: string): void {
    show("announcement", text);
  }

  /** @param error or a sentence of the page's own */
  showError(error: SpeechError | string | undefined): void {
    this.#message.hidden = error === undefined;
    this.#message.textContent = error instanceof SpeechError ? describeError(error) : (error ?? "");
  }

  /** Shows the voice that speaks instead of the chosen one, and the reason. */
  showSubstitute(told: UtteranceEvents["substituted"] | undefined): void {
    this.#note.hidden = told === undefined;
    this.#note.textContent = told === undefined ? "" : this.#describeSubstitute(told);
  }

  #describeSubstitute({ voice, model, provider, reason }: UtteranceEvents["substituted"]): string {
    const name = this.#voices.get(voice)?.name ?? voice;
    const of = provider === undefined ? model : `${model}, ${provider}`;
    return `${name} (${of}) speaks instead. ${ERROR_CATALOGUE[reason].meaning}`;
  }

  #chip({ language, label, text }: SampleSentence): HTMLButtonElement {
    const chip = document.createElement("button");
    chip.type = "button";
    chip.className = "chip";
    chip.title = text;
    const tag = document.createElement("span");
    tag.className = "tag";
    tag.textContent = language.toUpperCase();
    const name = document.createElement("span");
    name.lang = language;
    name.textContent = label;
    chip.append(tag, name);
    chip.addEventListener("click", () => {
      this.#text.value = text;
      this.#text.lang = language;
      this.#chooseLanguage(language);
    });
    return chip;
  }

  #showSample(language: string): void {
    const sample =
      SAMPLE_SENTENCES.find((it) => it.language === language) ??
      SAMPLE_SENTENCES.find((it) => it.language === "en");
    this.#text.value = sample?.text ?? "";
    this.#text.lang = sample?.language ?? "";
  }

  /** An unchanged sample sentence follows the voice's language, where there is one in it. */
  #matchSample(): void {
    const language = this.#voices.get(this.#voice.value)?.language;
    const shown = SAMPLE_SENTENCES.find(({ text }) => text === this.#text.value);
    const known = SAMPLE_SENTENCES.some((it) => it.language === language);
    if (language !== undefined && known && shown !== undefined && shown.language !== language) {
      this.#showSample(language);
    }
  }

  /** A voice that speaks the language, unless the chosen one does already. */
  #chooseLanguage(language: string): void {
    if (this.#voices.get(this.#voice.value)?.language === language) return;
    for (const voice of this.#voices.values()) {
      if (voice.language !== language) continue;
      this.#voice.value = voice.id;
      this.#voice.dispatchEvent(new Event("change"));
      return;
    }
  }
}

function describeLink(state: LinkState, nowMs: number): string {
  switch (state.kind) {
    case "connecting":
      return "Connecting";
    case "open":
      return state.resumed ? "Connected again" : "Connected";
    case "reconnecting":
      return "Reconnecting";
    case "away":
      return `Server away, next try in ${Math.max(1, Math.ceil((state.retryAtMs - nowMs) / 1000))} s`;
    case "refused":
      return "Not admitted";
  }
}

function describeError(error: SpeechError): string {
  const { retryAfterMs } = error;
  if (retryAfterMs === undefined) return error.message;
  return `${error.message} Try again in ${Math.ceil(retryAfterMs / 1000)} s.`;
}

function element<T extends HTMLElement>(id: string, type: new () => T): T {
  const found = document.getElementById(id);
  if (!(found instanceof type)) throw new TypeError(`the page has no ${type.name} #${id}`);
  return found;
}

/** Writes only what has changed: it is called sixty times a second. */
function show(id: string, text: string): void {
  const target = element(id, HTMLElement);
  if (target.textContent !== text) target.textContent = text;
}
