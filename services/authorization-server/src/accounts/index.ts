export { accountJobs } from "./accounts.jobs.ts";
export { type Account, type Accounts, createAccounts, type NewAccount, type SignIn } from "./accounts.ts";
