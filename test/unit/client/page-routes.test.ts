import { openPageRoutes, type PageRoutes } from "@tts-labs/edge/http/page-routes";
import { beforeAll, describe, expect, it } from "vitest";

const textOf = (body: Uint8Array | undefined) => new TextDecoder().decode(body);

describe("the page's routes", () => {
  let routes: PageRoutes;
  beforeAll(async () => {
    routes = await openPageRoutes();
  });

  it("lead from the root to the page", () => {
    for (const path of ["/", "/fastrtc/"]) {
      expect(routes.answer(path)).toMatchObject({ status: 302, headers: { location: "/fastrtc" } });
    }
  });

  it("serve everything the page names, each as what it is", () => {
    const page = textOf(routes.answer("/fastrtc")?.body);
    const named = [...page.matchAll(/(?:href|src)="([^"]+)"/g)].map(([, path = ""]) => path);
    expect(named.sort()).toEqual(["/fastrtc/favicon.svg", "/fastrtc/page.css", "/fastrtc/page.js"]);
    const script = textOf(routes.answer("/fastrtc/page.js")?.body);
    expect(script).toContain("/fastrtc/player-worklet.js");
    const types = ["/fastrtc", ...named, "/fastrtc/player-worklet.js", "/favicon.ico"].map((path) => [
      path,
      routes.answer(path)?.headers["content-type"],
    ]);
    expect(types).toEqual([
      ["/fastrtc", "text/html; charset=utf-8"],
      ["/fastrtc/favicon.svg", "image/svg+xml"],
      ["/fastrtc/page.css", "text/css; charset=utf-8"],
      ["/fastrtc/page.js", "text/javascript; charset=utf-8"],
      ["/fastrtc/player-worklet.js", "text/javascript; charset=utf-8"],
      ["/favicon.ico", "image/svg+xml"],
    ]);
    for (const path of routes.paths) expect(routes.answer(path), path).toBeDefined();
    expect(routes.answer("/fastrtc/other")).toBeUndefined();
  });

  it("let a browser keep what has not changed", () => {
    const etag = routes.answer("/fastrtc/page.js")?.headers["etag"] ?? "";
    expect(etag).toMatch(/^"[\w-]{22}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`]) {
      expect(routes.answer("/fastrtc/page.js", known)).toMatchObject({
        status: 304,
        body: new Uint8Array(0),
      });
    }
    expect(routes.answer("/fastrtc/page.js", `"other"`)?.status).toBe(200);
  });

  it("allow the page nothing but its own origin, and nobody to frame it", () => {
    const policy = routes.answer("/fastrtc")?.headers["content-security-policy"] ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe|data:|blob:|https?:/);
  });

  it("bring no schema library into the browser", () => {
    const { body } = routes.answer("/fastrtc/page.js") ?? { body: new Uint8Array(0) };
    expect(textOf(body)).not.toMatch(/ZodError|_zod/);
    expect(body.byteLength).toBeLessThan(72 * 1024);
  });
});
