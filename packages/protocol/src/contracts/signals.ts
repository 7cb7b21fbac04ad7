import { z } from "zod";
import { setErrors } from "../signals/index.ts";
import { HttpsUrl, idOf, Timestamp, text } from "./values.ts";

// The Shared Signals Framework 1.0, and the two ways of delivery it uses (RFC 8935, RFC 8936). Members that these bodies do
// not name are passed over, as the specifications say.

export const pushMethod = "urn:ietf:rfc:8935";
export const pollMethod = "urn:ietf:rfc:8936";

/** GET /.well-known/ssf-configuration (SSF 1.0 §7.1). */
export const SsfConfiguration = z.object({
  spec_version: z.literal("1_0"),
  issuer: z.string(),
  jwks_uri: z.string(),
  delivery_methods_supported: z.array(z.enum([pushMethod, pollMethod])),
  configuration_endpoint: z.string(),
  status_endpoint: z.string(),
  add_subject_endpoint: z.string(),
  remove_subject_endpoint: z.string(),
  verification_endpoint: z.string(),
  authorization_schemes: z.array(z.object({ spec_urn: z.string() })),
  default_subjects: z.enum(["ALL", "NONE"]),
});
export type SsfConfiguration = z.infer<typeof SsfConfiguration>;

/** RFC 9110 §5.5: what may stand in a header. */
const HeaderValue = z
  .string()
  .min(1)
  .max(4096)
  .regex(/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/, "is no header's value");

/** Where a receiver wants its events: posted to it, or kept until it polls. The address of a poll is the transmitter's to say. */
export const Delivery = z.discriminatedUnion("method", [
  z.object({
    method: z.literal(pushMethod),
    endpoint_url: HttpsUrl,
    authorization_header: HeaderValue.optional(),
  }),
  z.object({ method: z.literal(pollMethod), endpoint_url: z.string().max(2048).optional() }),
]);
export type Delivery = z.infer<typeof Delivery>;

const EventTypes = z.array(z.string().min(1).max(256)).max(100);

const wanted = {
  events_requested: EventTypes.optional(),
  delivery: Delivery.optional(),
  description: text(256).optional(),
};
/** What the transmitter says of a stream; a receiver may send it back as it is, and never otherwise. */
const supplied = {
  iss: z.string().max(2048).optional(),
  aud: z.union([z.string().max(2048), z.array(z.string().max(2048)).max(8)]).optional(),
  events_supported: EventTypes.optional(),
  events_delivered: EventTypes.optional(),
  min_verification_interval: z.int().optional(),
};

/** POST to the configuration endpoint (SSF 1.0 §8.1.1.1). Without delivery it is a stream that is polled. */
export const CreateStream = z.looseObject(wanted).meta({
  examples: [{ delivery: { method: pushMethod, endpoint_url: "https://receiver.example/events" } }],
});
export type CreateStream = z.infer<typeof CreateStream>;

/** PATCH (what is named changes, §8.1.1.3) and PUT (what is not named goes back to its default, §8.1.1.4). */
export const ChangeStream = z.looseObject({ stream_id: idOf("stream"), ...wanted, ...supplied });
export type ChangeStream = z.infer<typeof ChangeStream>;

export const StreamBody = z.object({
  stream_id: idOf("stream"),
  iss: z.string(),
  aud: z.string(),
  events_supported: z.array(z.string()),
  events_requested: z.array(z.string()).optional(),
  events_delivered: z.array(z.string()),
  /** The header that pushes carry is never shown again. */
  delivery: z.object({ method: z.enum([pushMethod, pollMethod]), endpoint_url: z.string() }),
  min_verification_interval: z.int(),
  description: z.string().optional(),
  /** Where what has not been acknowledged is fetched, whatever the delivery: so is what a push left out. */
  poll_endpoint: z.string(),
  created_at: Timestamp,
});
export type StreamBody = z.infer<typeof StreamBody>;

/** GET without `stream_id`: all that the caller has. */
export const StreamList = z.array(StreamBody);

export const streamStatuses = ["enabled", "paused", "disabled"] as const;
export const StreamStatus = z.enum(streamStatuses);
export type StreamStatus = z.infer<typeof StreamStatus>;

/** GET and POST of the status endpoint (SSF 1.0 §8.1.2). */
export const StreamStatusBody = z.looseObject({
  stream_id: idOf("stream"),
  status: StreamStatus,
  reason: text(256).optional(),
});
export type StreamStatusBody = z.infer<typeof StreamStatusBody>;

/** A subject as RFC 9493 and SSF 1.0 §3 write it. */
const Subject = z
  .object({ format: z.string().min(1).max(64) })
  .catchall(z.json())
  .meta({ examples: [{ format: "opaque", id: "mnd_01k9x5v1d6f8sbv0n2m4q7r9st" }] });

/** POST to add_subject_endpoint and remove_subject_endpoint (SSF 1.0 §8.1.3). */
export const AddSubject = z.looseObject({
  stream_id: idOf("stream"),
  subject: Subject,
  verified: z.boolean().optional(),
});
export const RemoveSubject = z.looseObject({ stream_id: idOf("stream"), subject: Subject });

/** POST to verification_endpoint (SSF 1.0 §8.1.4.2). */
export const VerifyStream = z.looseObject({
  stream_id: idOf("stream"),
  state: z.string().max(1024).optional(),
});

/** How many tokens an answer to a poll holds at most. */
export const pollSetsMax = 100;

const SetErr = z.object({ err: z.string().min(1).max(64), description: z.string().max(1024).optional() });

/** RFC 8936 §2.2: what has come is acknowledged, what could not be taken is said, and more is asked for. */
export const PollStream = z
  .looseObject({
    maxEvents: z.int().min(0).optional(),
    returnImmediately: z.boolean().optional(),
    ack: z.array(z.string().max(256)).max(1000).optional(),
    setErrs: z.record(z.string().max(256), SetErr).optional(),
  })
  .meta({ examples: [{ returnImmediately: true, maxEvents: 10 }] });
export type PollStream = z.infer<typeof PollStream>;

/** RFC 8936 §2.3: tokens by their `jti`. */
export const PolledStream = z.object({
  sets: z.record(z.string(), z.string()),
  moreAvailable: z.boolean().optional(),
});
export type PolledStream = z.infer<typeof PolledStream>;

/** What a receiver answers to a push that it does not take, with 400 (RFC 8935 §2.3). */
export const PushRefusal = z.object({ err: z.enum(setErrors), description: z.string().max(1024).optional() });
export type PushRefusal = z.infer<typeof PushRefusal>;
