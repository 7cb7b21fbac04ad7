export {
  type Account,
  type Accounts,
  createAccounts,
  type NewAccount,
  type PasswordCheck,
} from "./accounts.ts";
export { type BreachedPasswords, createBreachedPasswords } from "./breached.ts";
export { passwordLengthMin } from "./password.ts";
export type { NewPassword } from "./password-change.ts";
