/**
 * Serves the page under a strict content security policy: `node serve.mjs`, then open the address that it prints. TTS_URL
 * names the server, which has to be started with the page's address in ALLOWED_ORIGINS.
 */
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const server = process.env.TTS_URL ?? "http://localhost:8006";
const dist = dirname(fileURLToPath(import.meta.resolve("@tts-labs/client")));
const FILES = { "/": "index.html", "/page.js": "page.js" };
const TYPES = { html: "text/html; charset=utf-8", js: "text/javascript; charset=utf-8" };
// The player's worklet is a file as the others: nothing from blob: or data: runs.
const POLICY = `default-src 'none'; script-src 'self'; connect-src ${server} ${server.replace("http", "ws")}`;

const site = createServer(async (request, response) => {
  const { pathname } = new URL(request.url, "http://localhost");
  const [, client] = /^\/client\/([a-z]+\.js)$/.exec(pathname) ?? [];
  const file = client === undefined ? FILES[pathname] : `${dist}/${client}`;
  if (file === undefined) {
    response.writeHead(404).end();
    return;
  }
  const body = await readFile(client === undefined ? new URL(file, import.meta.url) : file);
  response.writeHead(200, {
    "content-type": TYPES[file.split(".").at(-1)],
    "content-security-policy": POLICY,
  });
  response.end(body);
});

site.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  console.log(`http://127.0.0.1:${site.address().port}/?server=${encodeURIComponent(server)}`);
});
