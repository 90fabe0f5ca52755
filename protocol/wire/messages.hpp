#pragma once

#include "protocol/base/bytes.hpp"
#include "protocol/base/endpoint.hpp"
#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/wire/options.hpp"

#include <variant>

/// The messages of RFC 7574 §8. Byte members are views into the datagram they were read from.
namespace ppsp::wire {

enum class MessageType : std::uint8_t {
    handshake = 0,
    data = 1,
    ack = 2,
    have = 3,
    integrity = 4,
    pex_res_v4 = 5,
    pex_req = 6,
    signed_integrity = 7,
    request = 8,
    cancel = 9,
    choke = 10,
    unchoke = 11,
    pex_res_v6 = 12,
    pex_res_cert = 13,
};

struct Handshake {
    ChannelId source{}; ///< 0 = closing
    Options options;
    friend bool operator==(Handshake const&, Handshake const&) = default;
};

struct Data {
    ChunkRange chunks; ///< one chunk; with byte addressing the bytes of the payload
    UnixMicros sent_at = 0;
    Bytes payload;
};

struct Ack {
    ChunkRange chunks;
    Duration one_way_delay{}; ///< signed: clocks differ (trap T8)
};

struct Have {
    ChunkRange chunks;
};

struct Integrity {
    ChunkRange chunks;
    Bytes hash;
};

struct SignedIntegrity {
    ChunkRange chunks;
    NtpTime signed_at{};
    Bytes signature;
};

struct Request {
    ChunkRange chunks;
};

struct Cancel {
    ChunkRange chunks;
};

struct Choke {};
struct Unchoke {};
struct PexRequest {};

/// PEX_RESv4 or PEX_RESv6, by the address family of `peer`.
struct PexResponse {
    Endpoint peer;
};

struct PexCertificate {
    Bytes certificate; ///< X.509v3 DER
};

using Message = std::variant<Handshake, Data, Ack, Have, Integrity, SignedIntegrity, Request,
                             Cancel, Choke, Unchoke, PexRequest, PexResponse, PexCertificate>;

[[nodiscard]] MessageType type_of(Message const& message);

} // namespace ppsp::wire
