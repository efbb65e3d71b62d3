import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { cp, readdir, readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest";
import { findChromium, launchChromium } from "../../testkit/clients/chromium.ts";
import { type Installed, installPackages, run } from "../../testkit/clients/installed-packages.ts";
import { type System, startSystem } from "../../testkit/fleet/system.ts";

const chromiumPath = findChromium();
if (chromiumPath === undefined) {
  console.log(
    "The installed client is not tried in a browser: there is no Chromium (set CHROMIUM_BIN or install chromium-headless-shell).",
  );
}
const root = join(import.meta.dirname, "../..");

describe.skipIf(chromiumPath === undefined)(
  "the installed client in a browser, under a strict policy",
  () => {
    let app: Installed;
    let system: System;
    let browser: Browser;
    const open: (() => Promise<unknown>)[] = [];

    beforeAll(async () => {
      [app, system, browser] = await Promise.all([
        installPackages(),
        startSystem({ redisUrl: inject("redisUrl"), edge: { allowedOrigins: ["*"] } }),
        launchChromium(chromiumPath ?? ""),
      ]);
    });
    afterAll(async () => {
      for (const close of open.splice(0)) await close();
      await browser?.close();
      await system?.close();
      await app?.close();
    });

    /** A visitor's page, and what its browser complained of. */
    async function visit(url: string): Promise<{ page: Page; complaints: string[] }> {
      const page = await browser.newPage();
      const complaints: string[] = [];
      page.on("console", (message) => {
        if (message.type() === "error") complaints.push(message.text());
      });
      page.on("pageerror", (error) => complaints.push(String(error)));
      await page.goto(url);
      return { page, complaints };
    }

    async function speak(page: Page): Promise<string> {
      await page.fill("#text", "Good morning.");
      await page.click("#speak");
      await page.waitForFunction(() => document.querySelector("#status")?.textContent !== "");
      return (await page.textContent("#status")) ?? "";
    }

    it("plays on the example's page, which has no bundler", async () => {
      const serve = join(app.folder, "node_modules/@tts-labs/client/examples/page/serve.mjs");
      const child = spawn(process.execPath, [serve], {
        env: { PATH: process.env["PATH"], TTS_URL: system.url, PORT: "0" },
        stdio: ["ignore", "pipe", "inherit"],
      });
      open.push(() => ended(child));
      const [address] = (await once(child.stdout, "data")) as [Buffer];
      const { page, complaints } = await visit(address.toString().trim());
      expect(await speak(page)).toMatch(/^completed: [1-9]\d{4,} samples heard, 0 gaps$/);
      // The browser asks for an icon by itself.
      expect(complaints.filter((it) => !it.includes("404"))).toEqual([]);
    });

    it("plays as Vite has built it, where the policy lets no worklet in from a data: address", async () => {
      const example = join(app.folder, "node_modules/@tts-labs/client/examples/page");
      await cp(join(example, "index.html"), join(app.folder, "index.html"));
      const source = await readFile(join(example, "page.js"), "utf8");
      const bundled = source
        .replace("/client/index.js", "@tts-labs/client")
        .replace("/client/player.js", "@tts-labs/client/player");
      await app.write("page.js", `${bundled}\nwindow.Player = Player;\n`);
      await run(join(root, "node_modules/.bin/vite"), ["build", "--outDir", "site"], { cwd: app.folder });
      const site = await serveSite(join(app.folder, "site"), system.url);
      open.push(site.close);
      const { page, complaints } = await visit(`${site.url}/?server=${encodeURIComponent(system.url)}`);
      expect(await speak(page)).toMatch(/^completed: [1-9]\d{4,} samples heard, 0 gaps$/);
      expect(complaints).toEqual([]);
      const refused = await page.evaluate(async () => {
        const { Player } = window as unknown as { Player: { open(options: object): Promise<unknown> } };
        return await Player.open({ workletUrl: "data:text/javascript,0" }).then(
          () => "played",
          (error: { code: string }) => error.code,
        );
      });
      // It was not fetched; one that is, and is no player, is a "client.player_failed".
      expect(refused).toBe("client.connect_failed");
    });
  },
);

/** The files of `folder` under a policy that lets only scripts of their own origin run. */
async function serveSite(folder: string, edge: string) {
  const policy = `default-src 'none'; script-src 'self'; connect-src ${edge} ${edge.replace("http", "ws")}`;
  const files = new Set(await readdir(folder, { recursive: true }));
  const server: Server = createServer(async ({ url = "/" }, response) => {
    const { pathname } = new URL(url, "http://localhost");
    const name = pathname === "/" ? "index.html" : pathname.slice(1);
    if (!files.has(name)) {
      response.writeHead(204).end();
      return;
    }
    const type = name.endsWith(".js") ? "text/javascript" : "text/html; charset=utf-8";
    response.writeHead(200, { "content-type": type, "content-security-policy": policy });
    response.end(await readFile(join(folder, name)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const close = async () => {
    server.closeAllConnections();
    server.close();
    await once(server, "close");
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill();
  await once(child, "exit");
}
