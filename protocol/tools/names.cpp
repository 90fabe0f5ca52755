#include "protocol/base/assert.hpp"
#include "protocol/tools/dump.hpp"

namespace ppsp::tools {

std::string_view name_of(wire::MessageType type)
{
    switch (type) {
    case wire::MessageType::handshake:
        return "HANDSHAKE";
    case wire::MessageType::data:
        return "DATA";
    case wire::MessageType::ack:
        return "ACK";
    case wire::MessageType::have:
        return "HAVE";
    case wire::MessageType::integrity:
        return "INTEGRITY";
    case wire::MessageType::pex_res_v4:
        return "PEX_RESv4";
    case wire::MessageType::pex_req:
        return "PEX_REQ";
    case wire::MessageType::signed_integrity:
        return "SIGNED_INTEGRITY";
    case wire::MessageType::request:
        return "REQUEST";
    case wire::MessageType::cancel:
        return "CANCEL";
    case wire::MessageType::choke:
        return "CHOKE";
    case wire::MessageType::unchoke:
        return "UNCHOKE";
    case wire::MessageType::pex_res_v6:
        return "PEX_RESv6";
    case wire::MessageType::pex_res_cert:
        return "PEX_REScert";
    }
    PPSP_ASSERT(false);
}

std::string_view name_of(wire::AddressingMode mode)
{
    switch (mode) {
    case wire::AddressingMode::bin32:
        return "bin32";
    case wire::AddressingMode::byte64:
        return "byte64";
    case wire::AddressingMode::chunk32:
        return "chunk32";
    case wire::AddressingMode::bin64:
        return "bin64";
    case wire::AddressingMode::chunk64:
        return "chunk64";
    }
    PPSP_ASSERT(false);
}

std::string_view name_of(wire::HashFunction function)
{
    switch (function) {
    case wire::HashFunction::sha1:
        return "sha1";
    case wire::HashFunction::sha224:
        return "sha224";
    case wire::HashFunction::sha256:
        return "sha256";
    case wire::HashFunction::sha384:
        return "sha384";
    case wire::HashFunction::sha512:
        return "sha512";
    }
    PPSP_ASSERT(false);
}

std::string_view name_of(wire::IntegrityMethod method)
{
    switch (method) {
    case wire::IntegrityMethod::none:
        return "none";
    case wire::IntegrityMethod::merkle_tree:
        return "merkle-tree";
    case wire::IntegrityMethod::sign_all:
        return "sign-all";
    case wire::IntegrityMethod::unified_merkle_tree:
        return "unified-merkle-tree";
    }
    PPSP_ASSERT(false);
}

std::string_view name_of(wire::SignatureAlgorithm algorithm)
{
    switch (algorithm) {
    case wire::SignatureAlgorithm::rsa_sha1:
        return "rsa-sha1";
    case wire::SignatureAlgorithm::rsa_sha256:
        return "rsa-sha256";
    case wire::SignatureAlgorithm::ecdsa_p256_sha256:
        return "ecdsa-p256-sha256";
    case wire::SignatureAlgorithm::ecdsa_p384_sha384:
        return "ecdsa-p384-sha384";
    case wire::SignatureAlgorithm::ed25519:
        return "ed25519";
    case wire::SignatureAlgorithm::ed448:
        return "ed448";
    }
    PPSP_ASSERT(false);
}

} // namespace ppsp::tools
