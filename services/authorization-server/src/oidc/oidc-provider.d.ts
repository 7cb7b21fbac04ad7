// What we use of oidc-provider 9.13.3. Its own types lag behind (RAR names, external signing), so the parts we touch
// are declared here and nowhere else.
declare module "oidc-provider" {
  import type { KeyObject } from "node:crypto";
  import type { IncomingMessage, ServerResponse } from "node:http";
  import type { Id } from "@remit/kernel";

  export type Payload = { readonly [member: string]: unknown };

  /** The port of storage (their `Adapter`), one instance per model name. */
  export type Adapter = {
    find(id: string): Promise<Payload | undefined>;
    findByUid(uid: string): Promise<Payload | undefined>;
    findByUserCode(userCode: string): Promise<Payload | undefined>;
    upsert(id: string, payload: Payload, expiresInS?: number): Promise<void>;
    consume(id: string): Promise<void>;
    destroy(id: string): Promise<void>;
    revokeByGrantId(grantId: string): Promise<void>;
  };

  export type ClientEntity = {
    readonly clientId: string;
    readonly clientName?: string;
    readonly clientSecret?: string;
    readonly clientAuthMethod: string;
    readonly jwksUri?: string;
    /** JWKs; of a `jwks_uri` those that were last read there. */
    readonly asymmetricKeyStore?: Iterable<unknown> & {
      /** Whether it is too early to read them again. */
      fresh(): boolean;
      refresh(): Promise<void>;
    };
    readonly redirectUris: readonly string[];
    readonly scope?: string;
    readonly clientAuthMethod: string;
    readonly remit_kind?: string;
    readonly remit_bearer?: boolean;
    readonly remit_tenant?: Id<"tenant">;
    readonly remit_dpop_thumbprint?: string;
    readonly remit_profile?: string;
    readonly scope?: string;
    /** The host that pairwise subjects are for. */
    readonly sectorIdentifier?: string;
    grantTypeAllowed(type: string): boolean;
  };

  export type TokenEntity = {
    readonly kind: string;
    readonly clientId?: string;
    readonly accountId?: string;
    readonly grantId?: string;
    readonly sessionUid?: string;
    readonly jkt?: string;
    readonly aud?: string;
    readonly iiat?: number;
    readonly scope?: string;
    readonly resourceServer?: { readonly audience?: string };
  };

  /** What a token comes from, with how and when the person signed in. */
  export type SourceEntity = {
    readonly acr?: string | undefined;
    readonly amr?: readonly string[] | undefined;
    readonly authTime?: number | undefined;
  };

  export type SessionEntity = {
    readonly uid: string;
    readonly loginTs?: number;
    readonly state?: { readonly secret?: string };
    readonly accountId?: string;
    readonly acr?: string;
    readonly amr?: readonly string[];
    /** Whether the sign-in is older than so many seconds. */
    past(ageS: number): boolean;
  };

  /** `claims.id_token.acr` of a request (OIDC Core §5.5.1). */
  export type RequestedClaims = {
    readonly id_token?: {
      readonly acr?: {
        readonly essential?: boolean;
        readonly value?: unknown;
        readonly values?: unknown;
      } | null;
    };
  };

  /** What an authorization code and a refresh token remember of the sign-in. */
  export type SignInOf = {
    readonly acr?: string | undefined;
    readonly amr?: readonly string[] | undefined;
    readonly authTime?: number | undefined;
  };

  export type OidcContext = {
    readonly route: string;
    readonly client?: ClientEntity;
    readonly params: { [name: string]: string | undefined };
    /** The parsed form, before its parameters are assembled. */
    readonly body: { [name: string]: unknown };
    readonly session?: SessionEntity;
    readonly claims?: RequestedClaims;
    /** What the interaction before this step brought. */
    readonly result?: { readonly login?: unknown };
    readonly entities: {
      readonly AuthorizationCode?: SignInOf;
      readonly RefreshToken?: SignInOf & { readonly jti: string };
      readonly Grant?: { readonly jti: string };
      readonly AccessToken?: TokenEntity;
      /** The refresh token that was just used up. */
      readonly RotatedRefreshToken?: TokenEntity & SourceEntity & { readonly jti: string };
      readonly RefreshToken?: SourceEntity;
      readonly AuthorizationCode?: SourceEntity;
      readonly DeviceCode?: SourceEntity;
      readonly BackchannelAuthenticationRequest?: SourceEntity;
      readonly Client?: ClientEntity;
    };
  };

  /** Koa's context, as far as it is used here. */
  export type Ctx = {
    readonly req: IncomingMessage;
    readonly res: ServerResponse;
    readonly method: string;
    readonly path: string;
    /** As `provider.proxy` reads it: from the forwarded header that `core.ts` writes. */
    readonly ip: string;
    readonly oidc: OidcContext;
    query: { readonly [name: string]: string | readonly string[] | undefined };
    status: number;
    body: unknown;
    type: string;
    get(header: string): string;
    set(header: string, value: string): void;
  };
  export type Middleware = (ctx: Ctx, next: () => Promise<void>) => Promise<void>;

  export type InteractionDetails = {
    readonly uid: string;
    readonly jti: string;
    readonly parJti?: string;
    /** The device code that this person was asked about (RFC 8628 §3.3). */
    readonly deviceCode?: string;
    readonly prompt: {
      readonly name: string;
      readonly reasons: readonly string[];
      readonly details: {
        readonly missingOIDCScope?: readonly string[];
        readonly missingOIDCClaims?: readonly string[];
        readonly missingResourceScopes?: { readonly [resource: string]: readonly string[] };
        readonly rar?: readonly Payload[];
        /** Of our own check (`sign-in-policy.ts`). */
        readonly assurance?: unknown;
      };
    };
    readonly params: { readonly [name: string]: unknown };
    readonly session?: { readonly accountId?: string; readonly uid?: string };
    readonly returnTo: string;
    result?: InteractionResult;
    readonly lastSubmission?: InteractionResult;
    getValueAndPayload(): Promise<{ payload: Payload }>;
  };

  /** A CIBA request as it waits (OpenID CIBA §7.3); `jti` is its auth_req_id. */
  export type BackchannelRequest = {
    readonly jti: string;
    /** Seconds that it lives. */
    readonly expiration: number;
    readonly params: { readonly [name: string]: string | undefined };
  };

  export type GrantEntity = {
    getValueAndPayload(): Promise<{ readonly payload: Payload }>;
    jti: string;
    addOIDCScope(scope: string): void;
    addOIDCClaims(claims: readonly string[]): void;
    addResourceScope(resource: string, scope: string): void;
    addRar(detail: Payload): void;
    save(): Promise<string>;
  };

  export type InteractionResult = {
    readonly login?: {
      readonly accountId: string;
      readonly acr?: string;
      readonly amr?: readonly string[];
      /** When the person signed in, in seconds: `auth_time`. Now if absent. */
      readonly ts?: number;
    };
    readonly consent?: { readonly grantId: string };
    readonly error?: string;
    readonly error_description?: string;
  };

  export class Provider {
    constructor(issuer: string, configuration: object);
    /** The context of the request that is being handled, if any. */
    static readonly ctx: Ctx | undefined;
    readonly issuer: string;
    proxy: boolean;
    readonly Client: { readonly prototype: object; find(id: string): Promise<ClientEntity | undefined> };
    readonly DeviceCode: {
      find(
        id: string,
        options: { readonly ignoreExpiration: boolean; readonly ignoreSessionBinding: boolean },
      ): Promise<{ readonly deviceInfo?: Payload } | undefined>;
    };
    readonly Session: {
      readonly prototype: {
        readonly sidFor: (this: { uid: string }, client: string, value?: string) => string | undefined;
      };
      get(pair: { req: IncomingMessage; res: ServerResponse; secure: boolean }): Promise<SessionEntity>;
    };
    readonly PushedAuthorizationRequest: new (of: {
      request: string;
      trusted: boolean;
    }) => { save(ttl: number): Promise<string> };
    readonly IdToken: {
      readonly validate: (this: unknown, jwt: string, client: ClientEntity) => Promise<unknown>;
    };
    readonly Grant: new (of: {
      accountId: string;
      clientId: string;
    }) => GrantEntity;
    use(middleware: Middleware): this;
    registerGrantType(
      name: string,
      handler: (ctx: Ctx) => Promise<void>,
      params: readonly string[],
      dupes: readonly string[],
    ): void;
    on(event: "error", listener: (error: Error) => void): this;
    on(
      event: string,
      listener: (ctx: Ctx, error: Error & { error_description?: string; error_detail?: string }) => void,
    ): this;
    callback(): (req: IncomingMessage, res: ServerResponse) => void;
    interactionDetails(req: IncomingMessage, res: ServerResponse): Promise<InteractionDetails>;
    interactionResult(
      req: IncomingMessage,
      res: ServerResponse,
      result: InteractionResult,
      options: { mergeWithLastSubmission: boolean },
    ): Promise<string>;
  }

  /** A key that stays where it is: `sign` gets the JWS signing input and returns the raw signature. */
  export class ExternalSigningKey {
    kid: string;
    alg: string;
    keyObject(): KeyObject;
    sign(data: Uint8Array): Promise<Uint8Array> | Uint8Array;
  }

  /** When a person must be asked something before an authorization goes on. */
  export type Check = {
    readonly reason: string;
    readonly check: (ctx: Ctx) => boolean | Promise<boolean>;
  };
  export type Prompt = {
    readonly name: string;
    readonly checks: {
      get(reason: string): Check | undefined;
      remove(reason: string): void;
      add(check: Check): void;
    };
    details: (ctx: Ctx) => object | Promise<object>;
  };
  export const interactionPolicy: {
    readonly Check: new (
      reason: string,
      description: string,
      error: string,
      check: (ctx: Ctx) => boolean | Promise<boolean>,
    ) => Check;
    base(): Prompt[] & { get(name: string): Prompt | undefined };
  };

  type ErrorClass = new (description?: string, detail?: string) => Error;
  export const errors: {
    readonly AccessDenied: ErrorClass;
    readonly CustomOIDCProviderError: new (
      error: string,
      description: string,
      options: { detail: string | undefined },
    ) => Error;
    readonly InvalidBindingMessage: ErrorClass;
    readonly InvalidAuthorizationDetails: ErrorClass;
    readonly InvalidClientAuth: new (detail: string) => Error;
    readonly InvalidDpopProof: ErrorClass;
    readonly InvalidGrant: new (detail: string) => Error;
    readonly InvalidRequest: ErrorClass;
    readonly InvalidScope: new (description: string, scope: string) => Error;
    readonly InvalidTarget: ErrorClass;
    readonly SessionNotFound: ErrorClass;
    readonly TemporarilyUnavailable: new (
      description?: string,
    ) => Error & { readonly error_description?: string };
    readonly UnauthorizedClient: ErrorClass;
    readonly UnknownUserId: ErrorClass;
    readonly UnmetAuthenticationRequirements: ErrorClass;
  };
}

// What the core's own grants are made of; it hands them out to nobody.
declare module "oidc-provider/lib/helpers/grants.js" {
  import type { Ctx, Provider } from "oidc-provider";

  type Proof = { readonly thumbprint: string; readonly jti: string; readonly iat: number };

  export function validateDpop(provider: Provider, ctx: Ctx): Promise<Proof | undefined>;
  export function checkDpopReplay(
    provider: Provider,
    ctx: Ctx,
    proof: Proof,
    clientId: string,
    refused?: new (description?: string, detail?: string) => Error,
  ): Promise<void>;
  export function resolveRequestedResources(
    provider: Provider,
    ctx: Ctx,
  ): Promise<readonly { readonly audience: string; readonly scope: string }[]>;
}

/** The nonces of DPoP proofs: steps of 60 s under a secret, without memory. Private: `lib` has no exports map. */
declare module "oidc-provider/lib/helpers/challenge.js" {
  export default class ServerChallenge {
    constructor(secret: Buffer, info: string);
    nextChallenge(): string;
    checkChallenge(challenge: string): boolean;
  }
}
