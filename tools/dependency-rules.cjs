// What the import graph as a whole must be; single imports are tidy's concern.
module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-tests-in-product",
      severity: "error",
      from: { pathNot: "\\.test\\.ts$|/test/|^packages/testkit" },
      to: { path: "\\.test\\.ts$|^packages/testkit" },
    },
    {
      name: "kernel-stands-alone",
      severity: "error",
      from: { path: "^packages/kernel/src", pathNot: "\\.test\\.ts$" },
      to: { pathNot: "^packages/kernel/src" },
    },
    {
      name: "services-never-import-each-other",
      severity: "error",
      from: { path: "^services/([^/]+)/src" },
      to: { path: "^services/", pathNot: "^services/$1/" },
    },
  ],
  options: {
    tsConfig: { fileName: "tsconfig.base.json" },
    tsPreCompilationDeps: "specify",
    doNotFollow: { path: "node_modules" },
    exclude: { path: "/dist/|services/wallet/app/(build|[.]svelte-kit)/" },
    enhancedResolveOptions: {
      conditionNames: ["@remit/src", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs"],
    },
  },
};
