#pragma once

#include "protocol/base/ids.hpp"
#include "protocol/base/time.hpp"
#include "protocol/integrity/hash.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string_view>

namespace ppsp::integrity {

/// RFC 7574 §6.1.2.4 says "too old" without a number (decision D8).
inline constexpr Duration tune_in_age_max = 10s;
/// How far clocks may be off when an age of seconds matters.
inline constexpr Duration tune_in_clock_slack = 5s;
/// On top of the discard window for units that are fetched later; clocks included.
inline constexpr Duration verification_slack = 30s;

/// What a signed munro is wanted for.
enum class MunroUse : std::uint8_t {
    tune_in,      ///< it says where the live edge is
    verification, ///< it proves chunks anywhere in the discard window
};

enum class MunroVerdict : std::uint8_t {
    acceptable,    ///< check the signature, then `accept`
    known,         ///< accepted before with this hash; its signature need not be checked again
    bad_width,     ///< no power of two from 2 to `unit_chunks_max`
    misaligned,    ///< does not start at a multiple of its width
    width_changed, ///< not as wide as the first one (trap T10)
    too_old,       ///< signed too long ago for this use
    from_future,   ///< signed later than clocks explain
    time_reversed, ///< signed before an earlier unit or after a later one
    other_hash,    ///< accepted before with another hash: with a good signature the source's fault
};

[[nodiscard]] std::string_view to_string(MunroVerdict verdict);

/// Which signed munros of one live swarm are believed, signatures aside (RFC 7574 §6.1.2, trap T10,
/// decision D8). `check` costs no signature check and changes nothing; call `accept` once the
/// signature proved good.
class MunroPolicy {
public:
    /// Accepted munros that are remembered, 64 KiB of stream each at 64 chunks: far more than a
    /// discard window of 60 s holds. The earliest is forgotten first.
    static constexpr std::size_t munros_max = 4096;

    /// `discard_window` as time; nullopt for one who keeps everything (all-ones, RFC 7574 §7.9).
    explicit MunroPolicy(std::optional<Duration> discard_window) : discard_window_(discard_window)
    {}

    [[nodiscard]] MunroVerdict check(ChunkRange chunks, NtpTime signed_at, Hash const& munro,
                                     UnixMicros now, MunroUse use) const;

    /// Only after `check` gave `acceptable` and the signature is good.
    void accept(ChunkRange chunks, NtpTime signed_at, Hash const& munro);

    /// Chunks per signature, once a munro was accepted.
    [[nodiscard]] std::optional<std::uint32_t> width() const { return width_; }
    [[nodiscard]] std::size_t remembered() const { return accepted_.size(); }

private:
    struct Munro {
        NtpTime signed_at;
        Hash hash;
    };

    [[nodiscard]] std::optional<MunroVerdict> check_chunks(ChunkRange chunks) const;
    [[nodiscard]] std::optional<MunroVerdict> check_age(NtpTime signed_at, UnixMicros now,
                                                        MunroUse use) const;
    [[nodiscard]] bool is_in_order(ChunkId first, NtpTime signed_at) const;

    std::optional<Duration> discard_window_;
    std::optional<std::uint32_t> width_;
    std::map<ChunkId, Munro> accepted_; // by first chunk
};

} // namespace ppsp::integrity
