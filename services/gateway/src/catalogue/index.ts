export { catalogueOf, cataloguePath, type Document, jwksPath, merchantJwks } from "./catalogue.ts";
