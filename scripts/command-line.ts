import { Command } from "commander";
import { versionText } from "./version.ts";

/** A command of `npm run`, with the help and version that all of them have. @param name as people type it */
export const newCommand = (name: string): Command =>
  // The version is looked up when it is asked for: it asks git.
  new Command(name)
    .option("--version", "prints the version and the commit")
    .on("option:version", () => {
      process.stdout.write(`${versionText()}\n`);
      process.exit(0);
    })
    .helpOption("-h, --help", "prints this help");
