import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

/**
 * Carries out what a Dockerfile does to `/app`, without a container engine: FROM of a stage goes on with its files,
 * COPY brings what it names and nothing else, RUN in exec form runs there. What a `.dockerignore` keeps out of the
 * context (`node_modules`) is not copied.
 */
export class ImageSteps {
  readonly #root: string;
  readonly #scratch: string;
  readonly #stages = new Map<string, { readonly parent: string; readonly steps: readonly string[] }>();

  /** `root` holds the Dockerfile; the stages' files come into folders of `scratch`. */
  constructor(root: string, scratch: string) {
    this.#root = root;
    this.#scratch = scratch;
    const text = readFileSync(join(root, "Dockerfile"), "utf8").replaceAll("\\\n", " ");
    for (const stage of text.split(/^FROM /m).slice(1)) {
      const [head = "", ...steps] = stage.split("\n");
      const [parent = "", name = ""] = head.split(" AS ");
      this.#stages.set(name, { parent, steps });
    }
  }

  /** The folder that is `/app` at the end of stage `name`. @throws Error when a step fails */
  build(name: string): string {
    const app = mkdtempSync(join(this.#scratch, `${name}-`));
    this.#carryOut(name, app);
    return app;
  }

  #carryOut(name: string, app: string): void {
    const stage = this.#stages.get(name);
    if (stage === undefined) return;
    this.#carryOut(stage.parent, app);
    for (const step of stage.steps) {
      if (step.startsWith("COPY ")) this.#copy(step.split(/\s+/).slice(1), app);
      if (step.startsWith("RUN ")) run(JSON.parse(step.slice(4)), app);
    }
  }

  #copy(words: readonly string[], app: string): void {
    const from = words.find((it) => it.startsWith("--from="))?.slice("--from=".length);
    const paths = words.filter((it) => !it.startsWith("--"));
    const target = paths.pop() ?? ".";
    for (const path of paths) {
      const source =
        from === undefined ? join(this.#root, path) : join(this.build(from), relative("/app", path));
      const to = target.endsWith("/")
        ? resolve(app, target, path.split("/").at(-1) ?? "")
        : resolve(app, target);
      mkdirSync(dirname(to), { recursive: true });
      // Workspaces are relative links in node_modules: they must lead into the image.
      const isKept = (file: string) =>
        from !== undefined || !relative(this.#root, file).includes("node_modules");
      cpSync(source, to, { recursive: true, verbatimSymlinks: true, filter: isKept });
    }
  }
}

function run([command = "", ...args]: readonly string[], cwd: string): void {
  const { status, stderr } = spawnSync(command, args, { cwd, encoding: "utf8" });
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}: ${stderr}`);
}
