import type { Logger } from "../logger.ts";
import { type BuildInfo, readBuildInfo } from "./build-info.ts";
import { type ConfigOf, type Environment, parseEnvironment } from "./environment.ts";
import { openLogger } from "./logger.ts";
import { logUncaught, tellStartFailure } from "./program.ts";
import { helpText, settingsText } from "./program-texts.ts";
import { secretsIn } from "./secrets.ts";
import { unknownVariables } from "./unknown-variables.ts";

export interface Program<E extends Environment> {
  /** Of the program, its log and its metrics. */
  readonly name: string;
  /** A sentence for `--help`. */
  readonly about: string;
  /** With its package.json. */
  readonly folder: string;
  readonly variables: E;
  /** What variables must be together. @throws GatewayError `config.invalid` */
  readonly check?: (config: ConfigOf<E>) => void;
}

/** What a process is given from outside. */
export interface ProcessInput {
  /** Without Node and the program's file. */
  readonly argv: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

/** What may be asked of a program instead of running it; each answers and ends. */
const ORDERS = ["--help", "-h", "--version", "--print-config", "--check-config"] as const;
type Order = (typeof ORDERS)[number];

const isOrder = (text: string | undefined): text is Order => ORDERS.some((it) => it === text);

/**
 * Runs a program whose settings are variables of the environment, or answers what was asked of it. A bad variable ends
 * it with a sentence of its own and exit code 1, all of them at once; an argument that is not known with 2.
 * @param start opens the program; what it throws is told as a sentence
 */
export async function runProgram<E extends Environment>(
  program: Program<E>,
  { argv, env }: ProcessInput,
  start: (config: ConfigOf<E>, logger: Logger) => Promise<void>,
): Promise<void> {
  const [order, ...rest] = argv;
  if (order === undefined) return run(program, env, start);
  const unknown = isOrder(order) ? rest[0] : order;
  if (!isOrder(order) || unknown !== undefined) {
    process.stderr.write(`${unknown} is not known to the ${program.name}: --help tells what is.\n`);
    process.exitCode = 2;
    return;
  }
  const build = readBuildInfo(program.name, program.folder, env["TTS_COMMIT"]);
  answer(order, program, build, env);
}

async function run<E extends Environment>(
  { name, variables }: Program<E>,
  env: NodeJS.ProcessEnv,
  start: (config: ConfigOf<E>, logger: Logger) => Promise<void>,
): Promise<void> {
  const logger = openLogger({ name, level: env["LOG_LEVEL"], secrets: secretsIn(variables, env) });
  logUncaught(logger);
  for (const { name: variable, nearest } of unknownVariables(env)) {
    logger.warn({ variable, nearest }, "no program reads this variable; nearest is the one that was meant");
  }
  try {
    await start(parseEnvironment(variables, env), logger);
  } catch (error) {
    tellStartFailure(logger, name, error);
  }
}

function answer<E extends Environment>(
  order: Order,
  program: Program<E>,
  build: BuildInfo,
  env: NodeJS.ProcessEnv,
): void {
  switch (order) {
    case "--help":
    case "-h":
      process.stdout.write(helpText(program));
      return;
    case "--version":
      process.stdout.write(`${build.program} ${build.version} (${build.commit})\n`);
      return;
    case "--print-config":
      process.stdout.write(settingsText(program.variables, env));
      return;
    case "--check-config":
      checkConfig(program, env);
  }
}

function checkConfig<E extends Environment>(program: Program<E>, env: NodeJS.ProcessEnv): void {
  for (const { name, nearest } of unknownVariables(env)) {
    const meant = nearest === undefined ? "" : ` Was ${nearest} meant?`;
    process.stderr.write(`${name} is read by no program.${meant}\n`);
  }
  try {
    const config = parseEnvironment(program.variables, env);
    program.check?.(config);
    process.stdout.write(`The configuration of the ${program.name} can be used.\n`);
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
  }
}
