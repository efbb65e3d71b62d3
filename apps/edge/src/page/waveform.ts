const BAR_PX = 3;
const GAP_PX = 3;
/** One bar is the loudest moment of this time. */
const BAR_MS = 45;

/**
 * The voice as it was in the last seconds: rounded bars that drift to the left, newest at the right, their colour
 * the page's. With reduced motion nothing drifts: the bars change in place.
 */
export class Waveform {
  readonly #canvas: HTMLCanvasElement;
  readonly #drawing: CanvasRenderingContext2D | null;
  readonly #still = matchMedia("(prefers-reduced-motion: reduce)");
  readonly #block: Float32Array<ArrayBuffer> = new Float32Array(1024);
  /** Newest last; as many as fit the canvas. */
  #bars: number[] = [];
  #peak = 0;
  #barBeganAtMs = 0;

  constructor(canvas: HTMLCanvasElement) {
    this.#canvas = canvas;
    this.#drawing = canvas.getContext("2d");
    new ResizeObserver(() => this.#fit()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw(0));
    this.#fit();
  }

  /** True while something of the voice is still to be seen drifting away. */
  get moving(): boolean {
    return this.#bars.some((bar) => bar > 0.004);
  }

  /** Takes what is heard now, if anything, and draws. */
  update(nowMs: number, analyser: AnalyserNode | undefined): void {
    if (analyser !== undefined) {
      analyser.getFloatTimeDomainData(this.#block);
      for (const sample of this.#block) this.#peak = Math.max(this.#peak, Math.abs(sample));
    }
    // After a pause (a hidden tab) the time in between is not drawn.
    if (nowMs - this.#barBeganAtMs > 10 * BAR_MS) this.#barBeganAtMs = nowMs;
    while (nowMs - this.#barBeganAtMs >= BAR_MS) {
      const before = this.#bars.at(-1) ?? 0;
      // A little inertia, so that the shape breathes rather than flickers.
      this.#bars.push(this.#peak * 0.75 + before * 0.25);
      this.#bars.splice(0, Math.max(0, this.#bars.length - this.#capacity));
      this.#peak = 0;
      this.#barBeganAtMs += BAR_MS;
    }
    this.#draw(this.#still.matches ? 0 : (nowMs - this.#barBeganAtMs) / BAR_MS);
  }

  get #capacity(): number {
    return Math.ceil(this.#canvas.clientWidth / (BAR_PX + GAP_PX)) + 2;
  }

  #fit(): void {
    const scale = window.devicePixelRatio;
    this.#canvas.width = Math.round(this.#canvas.clientWidth * scale);
    this.#canvas.height = Math.round(this.#canvas.clientHeight * scale);
    this.#draw(0);
  }

  /** `drift`: how far, in bars, the newest one has moved in. */
  #draw(drift: number): void {
    const drawing = this.#drawing;
    if (drawing === null) return;
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    drawing.setTransform(window.devicePixelRatio, 0, 0, window.devicePixelRatio, 0, 0);
    drawing.clearRect(0, 0, width, height);
    drawing.fillStyle = getComputedStyle(this.#canvas).color;
    const step = BAR_PX + GAP_PX;
    for (let i = 0; i < this.#capacity; i++) {
      const level = this.#bars[this.#bars.length - 1 - i] ?? 0;
      const x = width - (i + drift) * step;
      // Soft speech shall be seen too: the square root lifts it.
      const barHeight = Math.max(BAR_PX, Math.min(1, Math.sqrt(level) * 1.15) * height);
      drawing.globalAlpha = (level > 0.004 ? 1 : 0.3) * Math.min(1, x / (width * 0.25) + 0.08, 1);
      drawing.beginPath();
      drawing.roundRect(x, (height - barHeight) / 2, BAR_PX, barHeight, BAR_PX / 2);
      drawing.fill();
    }
    drawing.globalAlpha = 1;
  }
}
