/** TypeScript and esbuild have put every specifier in double quotes. */
const SPECIFIER = /(\bfrom\s*|\bimport\s*|\b(?:import|require)\()"([^"]+)"/g;

/** `text`, code or declarations, with the specifiers that `change` gives for those that it has. */
export const withSpecifiers = (text: string, change: (specifier: string) => string): string =>
  text.replace(SPECIFIER, (_, before: string, specifier: string) => `${before}"${change(specifier)}"`);

export const specifiersOf = (text: string): string[] =>
  [...text.matchAll(SPECIFIER)].map(([, , specifier = ""]) => specifier);

/** `./x.ts` or `./x.js` with another ending; what is not relative stays. */
export const endingIn =
  (ending: ".js" | ".cjs") =>
  (specifier: string): string =>
    specifier.startsWith(".") ? specifier.replace(/\.[jt]s$/, ending) : specifier;
