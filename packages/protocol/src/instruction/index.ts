export {
  examineInstruction,
  type Instruction,
  type InstructionOp,
  type InstructionOrder,
  instructionLifetimeS,
  instructionTyp,
  makeInstruction,
} from "./instruction.ts";
