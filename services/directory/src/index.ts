export type { DirectoryConfig } from "./config.ts";
export { createDirectory, type DirectoryOptions, migrations, type Service, tables } from "./service.ts";
