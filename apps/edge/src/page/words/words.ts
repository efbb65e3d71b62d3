import { WordTrack } from "./word-track.ts";

/** The words on the stage: dim while they wait, lit as they are heard. */
export class Caption {
  readonly #element: HTMLElement;
  #track = new WordTrack();
  #spans: HTMLSpanElement[] = [];

  constructor(element: HTMLElement) {
    this.#element = element;
  }

  get track(): WordTrack {
    return this.#track;
  }

  begin(language: string): void {
    this.#track = new WordTrack();
    this.#spans = [];
    this.#element.replaceChildren();
    this.#element.lang = language;
    this.#element.scrollTop = 0;
    this.#element.dataset["state"] = "speaking";
  }

  write(text: string): void {
    this.#track.write(text);
    for (const [i, word] of this.#track.words.entries()) {
      const span = this.#spans[i] ?? this.#addSpan();
      const isWithin = word.space === "" && i < this.#track.words.length - 1;
      const shown = word.text + (isWithin ? "" : word.space.includes("\n") ? "\n" : " ");
      if (span.textContent !== shown) span.textContent = shown;
    }
  }

  light(heardMs: number): void {
    const lit = this.#track.light(heardMs);
    if (lit.length === 0) return;
    for (const span of this.#element.querySelectorAll(".now")) span.classList.remove("now");
    for (const i of lit) this.#spans[i]?.classList.add("lit");
    const current = this.#spans[this.#track.current];
    current?.classList.add("now");
    if (current !== undefined) this.#keepInView(current);
  }

  /** Nothing more will be heard: of a speech that was stopped, the words up to the end of `textHeard` stay lit. */
  end(textHeard?: string): void {
    this.#element.dataset["state"] = textHeard === undefined ? "ended" : "stopped";
    const heard = new WordTrack();
    heard.write(textHeard ?? "");
    for (const span of this.#spans.slice(0, heard.words.length)) span.classList.add("lit");
    for (const span of this.#element.querySelectorAll(".now")) span.classList.remove("now");
  }

  #addSpan(): HTMLSpanElement {
    const span = document.createElement("span");
    span.className = "word";
    this.#element.append(span);
    this.#spans.push(span);
    return span;
  }

  /** Scrolls the caption alone, never the page. */
  #keepInView(span: HTMLElement): void {
    const { offsetTop, offsetHeight } = span;
    const { scrollTop, clientHeight } = this.#element;
    const inView = offsetTop >= scrollTop && offsetTop + offsetHeight <= scrollTop + clientHeight;
    if (!inView) this.#element.scrollTop = offsetTop - clientHeight / 3;
  }
}
