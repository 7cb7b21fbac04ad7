import { fileURLToPath } from "node:url";
import adapter from "@sveltejs/adapter-node";
import { sveltekit } from "@sveltejs/kit/vite";
import { defaultClientConditions, defaultServerConditions, defineConfig } from "vite";

// Component by component: the whole library is 250 files to compile, of which a page uses ten.
const bits = fileURLToPath(new URL("../../../node_modules/bits-ui/dist/bits", import.meta.url));

export default defineConfig({
  // Our own packages are taken as they are written: on a fresh machine nothing of them is built.
  resolve: { alias: { bits }, conditions: ["@remit/src", ...defaultClientConditions] },
  ssr: { resolve: { conditions: ["@remit/src", ...defaultServerConditions] } },
  plugins: [
    sveltekit({
      adapter: adapter({ out: "build" }),
      // A page is styled by fifteen small files, each a request that its first paint waited for: they come with it.
      inlineStyleThreshold: 16_384,
      csp: {
        mode: "nonce",
        directives: {
          "default-src": ["none"],
          "script-src": ["self"],
          "style-src": ["self"],
          // The one inline style there is: by it SvelteKit hides the element that tells screen readers of a new page.
          "style-src-attr": ["unsafe-hashes", "sha256-S8qMpvofolR8Mpjy4kQvEm7m1q8clzU4dfDH0AmvZjo="],
          "img-src": ["self", "data:"],
          "font-src": ["self"],
          "connect-src": ["self"],
          "form-action": ["self"],
          "base-uri": ["none"],
          "frame-ancestors": ["none"],
        },
      },
    }),
  ],
});
