export { type KeyPlacesOptions, kekSourceOf, secretsOf, signersOf, withKeepers } from "./key-places.ts";
