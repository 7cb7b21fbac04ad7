export { type KeyPlacesOptions, kekSourceOf, signersOf, withKeepers } from "./key-places.ts";
