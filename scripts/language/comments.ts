export interface Comment {
  /** From 1. */
  readonly line: number;
  /** Without its marks, white space folded. */
  readonly text: string;
}

/** The comments of a TypeScript source, found by their shape: `//` lines in a row count as one, and so does a block. */
export function commentsOf(source: string): Comment[] {
  const found: Comment[] = [];
  let open: { line: number; parts: string[] } | undefined;
  let isBlock = false;
  const close = () => {
    if (open !== undefined) {
      const text = open.parts.join(" ").replace(/\s+/g, " ").trim();
      if (/\p{L}/u.test(text) && !/^(?:biome-ignore|@ts-|!)/.test(text))
        found.push({ line: open.line, text });
    }
    open = undefined;
  };
  for (const [index, raw] of source.split("\n").entries()) {
    const line = raw.trim();
    if (isBlock) {
      open?.parts.push(line.replace(/\*+\/.*$/, "").replace(/^\*+ ?/, ""));
      if (line.includes("*/")) {
        isBlock = false;
        close();
      }
      continue;
    }
    const block = /^\/\*+ ?(.*)$/.exec(line);
    if (block !== null) {
      close();
      open = { line: index + 1, parts: [(block[1] ?? "").replace(/\*+\/.*$/, "")] };
      if (line.includes("*/")) close();
      else isBlock = true;
      continue;
    }
    const single = /^\/\/ ?(.*)$/.exec(line);
    if (single === null) {
      close();
      continue;
    }
    open ??= { line: index + 1, parts: [] };
    open.parts.push(single[1] ?? "");
  }
  close();
  return found;
}

/**
 * Openings that leave out the subject or turn the sentence round: "Of it so much …", "Has it made.", "Not before …".
 */
const ELLIPTICAL =
  /^(?:(?:Of|By|To|In|At|On|For|From|With|Over|Under|Behind|Beyond|Between|Among) (?:it|them|him|whom|which|what|those|these|all|each|so)\b|(?:Has|Have|Had|Is|Are|Was|Were|Will|Would|May|Might|Must|Can|Could|Should|Does|Do|Did) (?!not apply\b)|(?:Not|Else|So|Then|Thus|Hence|Where|Whose|Whatever|Whichever|However|Also|Yet|And|Or|But|Nor|Neither|Only|Even|Still|Already|Meanwhile|Otherwise|There|Here)\b|(?:Went|Came|Gone|Told|Said|Made|Given|Taken|Asked|Heard|Seen|Kept|Held|Left|Sent|Known|Meant|Found|Done|Shown|Begun|Ended) )/;

/** True where the first sentence opens without its subject, or in an order that is not the usual one. */
export const isElliptical = (text: string): boolean => ELLIPTICAL.test(text);

const BARE =
  /(?:^|[.:;!?—(] ?)(?:who|whoever)\s+\p{L}+|\b(?:nobody|somebody|no one|whoever)\b|(?:^|[.;:] )(?:Who|Whoever)\b/u;

/** True where "who" stands for a party that is not named, or "nobody" and "somebody" are used at all. */
export const hasBareSubject = (text: string): boolean => BARE.test(text);
