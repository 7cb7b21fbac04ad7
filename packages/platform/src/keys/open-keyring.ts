import type { Clock } from "@remit/kernel";
import type { Http } from "../http/index.ts";
import type { Jobs } from "../jobs/index.ts";
import { kekRoutes } from "./kek.http.ts";
import { kekJobs } from "./kek.jobs.ts";
import { createKekRotation, type KekRotationOptions } from "./kek-rotation.ts";
import { createKeyring, type Keyring } from "./keyring.ts";
import { type OpenKek, type OpenKekOptions, openKek } from "./open-kek.ts";

/** The keyring of a service, with the key-encryption key under it and the means to rotate that. */
export type OpenKeyring = Keyring & {
  readonly kek: OpenKek;
  /** Adds the operator's routes and the job of a rotation. Before both are started. */
  mount(at: { readonly http: Pick<Http, "add">; readonly jobs: Jobs }): void;
  close(): void;
};

export type OpenKeyringOptions = OpenKekOptions &
  Pick<KekRotationOptions, "recordChange"> & { readonly clock: Clock };

export async function openKeyring(options: OpenKeyringOptions): Promise<OpenKeyring> {
  const { clock, ...rest } = options;
  const kek = await openKek(rest);
  const rotation = createKekRotation({ ...rest, kek });
  return {
    ...createKeyring({ kek, clock }),
    kek,
    mount({ http, jobs }) {
      http.add(...kekRoutes(rotation));
      kekJobs(jobs, rotation);
    },
    close: () => kek.close(),
  };
}
