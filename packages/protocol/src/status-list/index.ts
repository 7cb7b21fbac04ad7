export {
  bitAt,
  bitsOfStatus,
  bytesForStatuses,
  type Status,
  type StatusBits,
  setBit,
  setStatus,
  statusAt,
  statuses,
  statusList2021EntriesMin,
} from "./bits.ts";
export {
  type StatusList2021ToIssue,
  statusList2021Credential,
  statusList2021MediaType,
} from "./credential-2021.ts";
export {
  type CompressedStatusList,
  checkStatus,
  examineStatusList,
  type StatusList,
  type StatusListInput,
  type StatusListToIssue,
  statusListBytesMax,
  statusListMediaType,
  statusListToken,
  statusListTyp,
} from "./token.ts";
