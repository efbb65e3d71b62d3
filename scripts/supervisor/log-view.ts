import { prettyFactory } from "pino-pretty";

/** Shows what the parts say to people: their JSON log lines in one line each, anything else as it is. */
export function openLogView(
  write: (text: string) => void,
  colour: boolean,
): (part: string) => (line: string) => void {
  const pretty = prettyFactory({
    colorize: colour,
    singleLine: true,
    ignore: "pid,hostname,node",
    translateTime: "SYS:HH:MM:ss.l",
  });
  return (part) => (line) => {
    if (line.trim() === "") return;
    const isLog = line.startsWith("{") && line.endsWith("}");
    write(isLog ? pretty(line) : `${part} | ${line}\n`);
  };
}
