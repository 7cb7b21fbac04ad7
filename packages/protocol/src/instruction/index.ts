export {
  type Instruction,
  type InstructionOp,
  type InstructionOrder,
  instructionLifetimeS,
  instructionTyp,
  makeInstruction,
  readInstruction,
} from "./instruction.ts";
