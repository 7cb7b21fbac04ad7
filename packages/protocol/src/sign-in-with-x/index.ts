export {
  examineSignIn,
  formatSignIn,
  parseSignInText,
  readSignIn,
  type SignedIn,
  type SignIn,
  signInHeader,
  signInText,
  signInWindowS,
} from "./sign-in-with-x.ts";
