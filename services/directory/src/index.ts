export { createDirectory, type DirectoryConfig, type DirectoryOptions, type Service } from "./service.ts";
