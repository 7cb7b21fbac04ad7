export { mcpDoor } from "./mcp.http.ts";
