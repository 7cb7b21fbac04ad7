// SPDX-License-Identifier: Apache-2.0
//
// What stands on the sandbox's chain. Compiled into contracts.ts with solc 0.8.37 from npm, which the project does not
// depend on: optimizer on, 200 runs, evmVersion "paris", metadata.bytecodeHash "none"; `deployedBytecode.object` of the
// tokens, `bytecode.object` of the wallet.
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
