// SPDX-License-Identifier: Apache-2.0
//
// What stands on the sandbox's chain. Compiled into contracts.ts with solc 0.8.37 from npm, which the project does not
// depend on: optimizer on, 200 runs, evmVersion "paris", metadata.bytecodeHash "none"; `deployedBytecode.object` of the
// tokens and of what permits go through, `bytecode.object` of the wallet.
pragma solidity ^0.8.24;

interface IContractWallet {
  // EIP-1271
  function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4);
}

/// A dollar token with the interface and the refusals of USDC (FiatTokenV2_2), as far as payments need it: EIP-20 and
/// EIP-3009 with both shapes of signature. Anybody may mint: it is worth nothing.
contract SandboxDollar {
  string public constant name = "USDC";
  string public constant symbol = "USDC";
  string public constant version = "2";
  uint8 public constant decimals = 6;

  uint256 public totalSupply;
  mapping(address => uint256) public balanceOf;
  mapping(address => mapping(address => uint256)) public allowance;
  mapping(address => mapping(bytes32 => bool)) public authorizationState;

  event Transfer(address indexed from, address indexed to, uint256 value);
  event Approval(address indexed owner, address indexed spender, uint256 value);
  event AuthorizationUsed(address indexed authorizer, bytes32 indexed nonce);
  event AuthorizationCanceled(address indexed authorizer, bytes32 indexed nonce);

  bytes32 public constant TRANSFER_WITH_AUTHORIZATION_TYPEHASH = keccak256(
    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
  );
  bytes32 public constant RECEIVE_WITH_AUTHORIZATION_TYPEHASH = keccak256(
    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
  );
  bytes32 public constant CANCEL_AUTHORIZATION_TYPEHASH =
    keccak256("CancelAuthorization(address authorizer,bytes32 nonce)");

  // The upper half of the curve's order is refused, as EIP-2 does for transactions: one authorization, one signature.
  uint256 private constant HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0;

  struct Authorization {
    address from;
    address to;
    uint256 value;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
  }

  function DOMAIN_SEPARATOR() public view returns (bytes32) {
    return keccak256(
      abi.encode(
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
        keccak256(bytes(name)),
        keccak256(bytes(version)),
        block.chainid,
        address(this)
      )
    );
  }

  function mint(address to, uint256 value) external {
    totalSupply += value;
    balanceOf[to] += value;
    emit Transfer(address(0), to, value);
  }

  function transfer(address to, uint256 value) external returns (bool) {
    move(msg.sender, to, value);
    return true;
  }

  function approve(address spender, uint256 value) external returns (bool) {
    allowance[msg.sender][spender] = value;
    emit Approval(msg.sender, spender, value);
    return true;
  }

  function transferFrom(address from, address to, uint256 value) external returns (bool) {
    uint256 allowed = allowance[from][msg.sender];
    require(allowed >= value, "ERC20: transfer amount exceeds allowance");
    if (allowed != type(uint256).max) allowance[from][msg.sender] = allowed - value;
    move(from, to, value);
    return true;
  }

  function transferWithAuthorization(
    address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
    uint8 v, bytes32 r, bytes32 s
  ) external {
    spend(
      TRANSFER_WITH_AUTHORIZATION_TYPEHASH,
      Authorization(from, to, value, validAfter, validBefore, nonce),
      abi.encodePacked(r, s, v)
    );
  }

  function transferWithAuthorization(
    address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
    bytes calldata signature
  ) external {
    spend(
      TRANSFER_WITH_AUTHORIZATION_TYPEHASH,
      Authorization(from, to, value, validAfter, validBefore, nonce),
      signature
    );
  }

  function receiveWithAuthorization(
    address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
    uint8 v, bytes32 r, bytes32 s
  ) external {
    require(to == msg.sender, "FiatTokenV2: caller must be the payee");
    spend(
      RECEIVE_WITH_AUTHORIZATION_TYPEHASH,
      Authorization(from, to, value, validAfter, validBefore, nonce),
      abi.encodePacked(r, s, v)
    );
  }

  function receiveWithAuthorization(
    address from, address to, uint256 value, uint256 validAfter, uint256 validBefore, bytes32 nonce,
    bytes calldata signature
  ) external {
    require(to == msg.sender, "FiatTokenV2: caller must be the payee");
    spend(
      RECEIVE_WITH_AUTHORIZATION_TYPEHASH,
      Authorization(from, to, value, validAfter, validBefore, nonce),
      signature
    );
  }

  function cancelAuthorization(address authorizer, bytes32 nonce, uint8 v, bytes32 r, bytes32 s) external {
    cancel(authorizer, nonce, abi.encodePacked(r, s, v));
  }

  function cancelAuthorization(address authorizer, bytes32 nonce, bytes calldata signature) external {
    cancel(authorizer, nonce, signature);
  }

  function spend(bytes32 kind, Authorization memory by, bytes memory signature) internal {
    require(block.timestamp > by.validAfter, "FiatTokenV2: authorization is not yet valid");
    require(block.timestamp < by.validBefore, "FiatTokenV2: authorization is expired");
    if (authorizationState[by.from][by.nonce]) return used();
    check(
      by.from,
      keccak256(abi.encode(kind, by.from, by.to, by.value, by.validAfter, by.validBefore, by.nonce)),
      signature
    );
    authorizationState[by.from][by.nonce] = true;
    emit AuthorizationUsed(by.from, by.nonce);
    move(by.from, by.to, by.value);
  }

  function cancel(address authorizer, bytes32 nonce, bytes memory signature) internal {
    require(!authorizationState[authorizer][nonce], "FiatTokenV2: authorization is used or canceled");
    check(authorizer, keccak256(abi.encode(CANCEL_AUTHORIZATION_TYPEHASH, authorizer, nonce)), signature);
    authorizationState[authorizer][nonce] = true;
    emit AuthorizationCanceled(authorizer, nonce);
  }

  function used() internal virtual {
    revert("FiatTokenV2: authorization is used or canceled");
  }

  function move(address from, address to, uint256 value) internal virtual {
    require(balanceOf[from] >= value, "ERC20: transfer amount exceeds balance");
    unchecked {
      balanceOf[from] -= value;
      balanceOf[to] += value;
    }
    emit Transfer(from, to, value);
  }

  function check(address signer, bytes32 structHash, bytes memory signature) internal view {
    bytes32 hash = keccak256(abi.encodePacked("\x19\x01", DOMAIN_SEPARATOR(), structHash));
    if (signer.code.length > 0) {
      (bool answered, bytes memory said) =
        signer.staticcall(abi.encodeCall(IContractWallet.isValidSignature, (hash, signature)));
      require(
        answered && said.length >= 32 && abi.decode(said, (bytes32)) == bytes32(IContractWallet.isValidSignature.selector),
        "FiatTokenV2: invalid signature"
      );
      return;
    }
    require(recover(hash, signature) == signer, "FiatTokenV2: invalid signature");
  }

  function recover(bytes32 hash, bytes memory signature) internal pure returns (address signer) {
    require(signature.length == 65, "ECRecover: invalid signature length");
    bytes32 r;
    bytes32 s;
    uint8 v;
    assembly {
      r := mload(add(signature, 32))
      s := mload(add(signature, 64))
      v := byte(0, mload(add(signature, 96)))
    }
    require(uint256(s) <= HALF_ORDER, "ECRecover: invalid signature 's' value");
    require(v == 27 || v == 28, "ECRecover: invalid signature 'v' value");
    signer = ecrecover(hash, v, r, s);
    require(signer != address(0), "ECRecover: invalid signature");
  }
}

/// Says nothing when an authorization has been used: the call succeeds and moves no money.
contract ForgivingDollar is SandboxDollar {
  function used() internal override {}
}

/// Keeps a hundredth of what is sent: the payee gets less than was signed for.
contract TaxingDollar is SandboxDollar {
  function move(address from, address to, uint256 value) internal override {
    super.move(from, address(this), value / 100);
    super.move(from, to, value - value / 100);
  }
}

/// A wallet that is a contract (EIP-1271): what its owner has signed is valid.
contract SandboxWallet is IContractWallet {
  address public immutable owner;

  constructor(address by) {
    owner = by;
  }

  function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
    if (signature.length != 65) return 0xffffffff;
    address signer = ecrecover(
      hash, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64])
    );
    return signer != address(0) && signer == owner ? IContractWallet.isValidSignature.selector : bytes4(0xffffffff);
  }
}

interface IToken {
  function transferFrom(address from, address to, uint256 value) external returns (bool);
}

struct TokenPermissions {
  address token;
  uint256 amount;
}

struct PermitTransferFrom {
  TokenPermissions permitted;
  uint256 nonce;
  uint256 deadline;
}

struct SignatureTransferDetails {
  address to;
  uint256 requestedAmount;
}

/// What payments need of Permit2: transfers by a signature that also covers what the spender was told ("witness"), of up to
/// the signed amount, each once. The interface, the EIP-712 types, the errors and the bits of nonces are Permit2's own, so
/// that clients of the real one sign for this one.
contract SandboxPermit {
  mapping(address => mapping(uint256 => uint256)) public nonceBitmap;

  event UnorderedNonceInvalidation(address indexed owner, uint256 word, uint256 mask);

  error SignatureExpired(uint256 signatureDeadline);
  error InvalidAmount(uint256 maxAmount);
  error InvalidNonce();
  error InvalidSigner();
  error InvalidSignature();
  error InvalidSignatureLength();
  error InvalidContractSignature();

  bytes32 private constant TOKEN_PERMISSIONS_TYPEHASH = keccak256("TokenPermissions(address token,uint256 amount)");
  string private constant WITNESSED =
    "PermitWitnessTransferFrom(TokenPermissions permitted,address spender,uint256 nonce,uint256 deadline,";

  function DOMAIN_SEPARATOR() public view returns (bytes32) {
    return keccak256(
      abi.encode(
        keccak256("EIP712Domain(string name,uint256 chainId,address verifyingContract)"),
        keccak256("Permit2"),
        block.chainid,
        address(this)
      )
    );
  }

  function permitWitnessTransferFrom(
    PermitTransferFrom calldata permit,
    SignatureTransferDetails calldata details,
    address owner,
    bytes32 witness,
    string calldata witnessTypes,
    bytes calldata signature
  ) external {
    if (block.timestamp > permit.deadline) revert SignatureExpired(permit.deadline);
    if (details.requestedAmount > permit.permitted.amount) revert InvalidAmount(permit.permitted.amount);
    uint256 bit = 1 << uint8(permit.nonce);
    uint256 bits = nonceBitmap[owner][permit.nonce >> 8];
    if (bits & bit != 0) revert InvalidNonce();
    nonceBitmap[owner][permit.nonce >> 8] = bits | bit;
    check(owner, digestOf(permit, witness, witnessTypes), signature);
    // Tokens that answer nothing are not on this chain.
    require(
      IToken(permit.permitted.token).transferFrom(owner, details.to, details.requestedAmount),
      "TRANSFER_FROM_FAILED"
    );
  }

  function invalidateUnorderedNonces(uint256 wordPos, uint256 mask) external {
    nonceBitmap[msg.sender][wordPos] |= mask;
    emit UnorderedNonceInvalidation(msg.sender, wordPos, mask);
  }

  function digestOf(PermitTransferFrom calldata permit, bytes32 witness, string calldata witnessTypes)
    private view returns (bytes32)
  {
    bytes32 permissions =
      keccak256(abi.encode(TOKEN_PERMISSIONS_TYPEHASH, permit.permitted.token, permit.permitted.amount));
    bytes32 message = keccak256(
      abi.encode(
        keccak256(abi.encodePacked(WITNESSED, witnessTypes)),
        permissions,
        msg.sender,
        permit.nonce,
        permit.deadline,
        witness
      )
    );
    return keccak256(abi.encodePacked("\x19\x01", DOMAIN_SEPARATOR(), message));
  }

  function check(address owner, bytes32 hash, bytes calldata signature) private view {
    if (owner.code.length > 0) {
      if (IContractWallet(owner).isValidSignature(hash, signature) != IContractWallet.isValidSignature.selector)
        revert InvalidContractSignature();
      return;
    }
    if (signature.length != 65) revert InvalidSignatureLength();
    address signer = ecrecover(hash, uint8(signature[64]), bytes32(signature[0:32]), bytes32(signature[32:64]));
    if (signer == address(0)) revert InvalidSignature();
    if (signer != owner) revert InvalidSigner();
  }
}

/// What payments need of x402's proxy for `upto`: the spender that payers sign for. It sends nobody's money elsewhere than
/// where its owner signed that it goes, and obeys nobody but the facilitator that was signed for.
contract SandboxUpto {
  SandboxPermit public constant PERMIT2 = SandboxPermit(0x000000000022D473030F116dDEE9F6B43aC78BA3);
  string public constant WITNESS_TYPE_STRING =
    "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,address facilitator,uint256 validAfter)";
  bytes32 public constant WITNESS_TYPEHASH =
    keccak256("Witness(address to,address facilitator,uint256 validAfter)");

  struct Witness {
    address to;
    address facilitator;
    uint256 validAfter;
  }

  event Settled();

  error AmountExceedsPermitted();
  error InvalidAmount();
  error InvalidDestination();
  error InvalidOwner();
  error PaymentTooEarly();
  error UnauthorizedFacilitator();

  function settle(
    PermitTransferFrom calldata permit,
    uint256 amount,
    address owner,
    Witness calldata witness,
    bytes calldata signature
  ) external {
    if (msg.sender != witness.facilitator) revert UnauthorizedFacilitator();
    if (amount > permit.permitted.amount) revert AmountExceedsPermitted();
    if (amount == 0) revert InvalidAmount();
    if (owner == address(0)) revert InvalidOwner();
    if (witness.to == address(0)) revert InvalidDestination();
    if (block.timestamp < witness.validAfter) revert PaymentTooEarly();
    bytes32 witnessHash =
      keccak256(abi.encode(WITNESS_TYPEHASH, witness.to, witness.facilitator, witness.validAfter));
    PERMIT2.permitWitnessTransferFrom(
      permit, SignatureTransferDetails(witness.to, amount), owner, witnessHash, WITNESS_TYPE_STRING, signature
    );
    emit Settled();
  }
}
