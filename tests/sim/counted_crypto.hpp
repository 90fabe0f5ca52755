#pragma once

#include "protocol/integrity/hasher.hpp"
#include "protocol/integrity/signature.hpp"

#include <array>
#include <cstring>

/// Stand-ins for SHA-256 and ECDSA of the same sizes: fast, counted, and good enough to tell wrong
/// bytes from right ones. Nobody in the simulator tries to find collisions.
namespace ppsp::sim {

struct CryptoCounts {
    std::uint64_t hashes = 0;
    std::uint64_t signatures = 0;
    std::uint64_t checks = 0;
};

class CountedHasher final : public integrity::Hasher {
public:
    explicit CountedHasher(CryptoCounts& counts) : counts_(&counts) {}
    [[nodiscard]] std::size_t size() const override { return 32; }
    [[nodiscard]] integrity::Hash digest(Bytes first, Bytes second) override
    {
        counts_->hashes += 1;
        std::array<std::uint64_t, 4> lanes{0x243f6a8885a308d3, 0x13198a2e03707344,
                                           0xa4093822299f31d0, 0x082efa98ec4e6c89};
        absorb(lanes, first);
        absorb(lanes, second);
        for (int round = 0; round < 2; ++round) {
            for (std::size_t i = 0; i < 4; ++i) {
                lanes[i] = mix(lanes[i] + lanes[(i + 1) % 4] * 0x9e3779b97f4a7c15);
            }
        }
        std::array<std::uint8_t, 32> bytes{};
        std::memcpy(bytes.data(), lanes.data(), bytes.size());
        return integrity::Hash{bytes};
    }

private:
    static std::uint64_t mix(std::uint64_t value)
    {
        value = (value ^ (value >> 32)) * 0xd6e8feb86659fd93;
        return value ^ (value >> 29);
    }
    static void absorb(std::array<std::uint64_t, 4>& lanes, Bytes bytes)
    {
        std::array<std::uint64_t, 4> block{};
        while (bytes.size() >= 32) {
            std::memcpy(block.data(), bytes.data(), 32);
            for (std::size_t i = 0; i < 4; ++i) {
                lanes[i] = (lanes[i] ^ block[i]) * 0xff51afd7ed558ccd;
                lanes[i] ^= lanes[i] >> 31;
            }
            bytes = bytes.subspan(32);
        }
        block = {};
        if (!bytes.empty()) {
            std::memcpy(block.data(), bytes.data(), bytes.size());
        }
        for (std::size_t i = 0; i < 4; ++i) {
            lanes[i] = mix(lanes[i] ^ block[i] ^ (bytes.size() + 1));
        }
    }
    CryptoCounts* counts_;
};

/// The signature of a message is its digest, twice.
inline ByteVector counted_signature(CryptoCounts& counts, Bytes swarm_id, Bytes message)
{
    CountedHasher hasher{counts};
    integrity::Hash const hash = hasher.digest(swarm_id, message);
    ByteVector signature(hash.bytes().begin(), hash.bytes().end());
    signature.insert(signature.end(), hash.bytes().begin(), hash.bytes().end());
    return signature;
}

class CountedSigner final : public integrity::Signer {
public:
    CountedSigner(CryptoCounts& counts, ByteVector swarm_id)
        : counts_(&counts), swarm_id_(std::move(swarm_id))
    {}
    [[nodiscard]] ByteVector swarm_id() const override { return swarm_id_; }
    [[nodiscard]] ByteVector sign(Bytes message) override
    {
        counts_->signatures += 1;
        return counted_signature(*counts_, swarm_id_, message);
    }

private:
    CryptoCounts* counts_;
    ByteVector swarm_id_;
};

class CountedChecker final : public integrity::Checker {
public:
    explicit CountedChecker(CryptoCounts& counts) : counts_(&counts) {}
    [[nodiscard]] bool check(Bytes swarm_id, Bytes message, Bytes signature) override
    {
        counts_->checks += 1;
        ByteVector const right = counted_signature(*counts_, swarm_id, message);
        return Bytes{right}.size() == signature.size() &&
               std::equal(right.begin(), right.end(), signature.begin());
    }

private:
    CryptoCounts* counts_;
};

} // namespace ppsp::sim
