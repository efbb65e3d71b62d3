import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { bundleScripts, WORKLET } from "./page-bundle.ts";

/**
 * The page for people at `/fastrtc`: its TypeScript is bundled beforehand or at start, and held in memory. Knows
 * nothing of the server: it answers requests given as data, so that any HTTP server can serve it.
 */
export interface PageRoutes {
  /** Every path that `answer` knows, for a server that registers routes. */
  readonly paths: readonly string[];
  /** What to answer to a GET or HEAD of `path` (without query); undefined where it is none of the page's. */
  answer(path: string, ifNoneMatch?: string): PageAnswer | undefined;
}

export interface PageAnswer {
  readonly status: 200 | 302 | 304;
  readonly headers: Readonly<Record<string, string>>;
  /** Empty unless the status is 200; a HEAD leaves it out. */
  readonly body: Uint8Array;
}

interface Asset {
  readonly contentType: string;
  readonly body: Uint8Array;
  readonly etag: string;
  /** Its address changes with its contents. */
  readonly isImmutable?: boolean;
}

const PAGE_PATH = "/fastrtc";
const NOTHING: Uint8Array = new Uint8Array(0);

/**
 * Only what the page brings itself may run or be shown; it talks to its own origin alone. `ws:` and `wss:` are
 * named for browsers in which 'self' does not cover them.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self' ws: wss:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export async function openPageRoutes(): Promise<PageRoutes> {
  const [scripts, html, css, favicon] = await Promise.all([
    bundleScripts(),
    readFile(new URL("../page/index.html", import.meta.url)),
    readFile(new URL("../page/page.css", import.meta.url)),
    readFile(new URL("../page/favicon.svg", import.meta.url)),
  ]);
  const icon = asset("image/svg+xml", favicon);
  const worklet = asset("text/javascript; charset=utf-8", scripts.get(WORKLET) ?? NOTHING);
  // Under an address of its own for each of its versions it is kept by browsers, and is there when the edge is away.
  const workletPath = `${PAGE_PATH}/player-worklet-${worklet.etag.replaceAll('"', "")}.js`;
  const page = html.toString("utf8").replace("<body>", `<body data-worklet="${workletPath}">`);
  const assets = new Map<string, Asset>([
    [PAGE_PATH, asset("text/html; charset=utf-8", Buffer.from(page))],
    [`${PAGE_PATH}/page.css`, asset("text/css; charset=utf-8", css)],
    [`${PAGE_PATH}/favicon.svg`, icon],
    ["/favicon.ico", icon],
    [workletPath, { ...worklet, isImmutable: true }],
    ...[...scripts].map(([name, body]): [string, Asset] => [
      `${PAGE_PATH}/${name}`,
      asset("text/javascript; charset=utf-8", body),
    ]),
  ]);
  const redirects = new Set(["/", `${PAGE_PATH}/`]);
  return {
    paths: [...redirects, ...assets.keys()],
    answer: (path, ifNoneMatch) => {
      if (redirects.has(path)) return { status: 302, headers: { location: PAGE_PATH }, body: NOTHING };
      const found = assets.get(path);
      return found === undefined ? undefined : answerWith(found, ifNoneMatch);
    },
  };
}

function answerWith(
  { contentType, body, etag, isImmutable }: Asset,
  ifNoneMatch: string | undefined,
): PageAnswer {
  const headers = {
    etag,
    "cache-control": isImmutable === true ? "public, max-age=31536000, immutable" : "no-cache",
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
  };
  const fresh = ifNoneMatch?.split(",").some((tag) => tag.trim().replace(/^W\//, "") === etag) ?? false;
  if (fresh) return { status: 304, headers, body: NOTHING };
  return { status: 200, headers: { ...headers, "content-type": contentType }, body };
}

function asset(contentType: string, body: Uint8Array): Asset {
  const etag = `"${createHash("sha256").update(body).digest("base64url").slice(0, 22)}"`;
  return { contentType, body, etag };
}
