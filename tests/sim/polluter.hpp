#pragma once

#include "peer/content/unit_grid.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/wire/datagram.hpp"

#include <deque>
#include <map>
#include <optional>
#include <string_view>

namespace ppsp::sim {

/// What a polluter does to what its engine sends.
enum class Pollution : std::uint8_t {
    bytes,      ///< changes a byte of each chunk
    haves,      ///< says that it holds what it does not, and sends no chunk
    early,      ///< the same, and announces units that do not exist yet
    signatures, ///< changes the signature of munros
    replay,     ///< sends an older munro instead of the one that proves the chunk
    each,       ///< keeps to one of these, drawn when it joins
    mixed,      ///< draws one of these for each datagram
};

/// The value of the scenario's key `pollution`; nullopt for other words.
[[nodiscard]] std::optional<Pollution> pollution_of(std::string_view name);

/// A peer that looks ordinary and is not: its engine is the product's, what leaves it is tampered
/// with between engine and network. Knows the live edge as soon as the source cuts it.
class Polluter {
public:
    struct Config {
        Pollution kind = Pollution::mixed;
        double rate = 1; ///< share of datagrams that are tampered with
        wire::SwarmFormat format;
        std::uint32_t chunks_per_unit = 8;
    };
    /// Tampered datagrams by what was done to them.
    struct Counts {
        std::uint64_t bytes = 0;
        std::uint64_t haves = 0;
        std::uint64_t signatures = 0;
        std::uint64_t replays = 0;
    };

    Polluter(Config const& config, Rng rng);

    /// What goes out instead of `datagram`. Handshakes and what cannot be read pass as they are.
    [[nodiscard]] ByteVector tamper(Endpoint const& to, ByteVector datagram, peer::UnitIndex edge);

    struct Lie {
        Endpoint to;
        ByteVector datagram;
    };
    /// HAVEs of the newest units, of the early kind of some that do not exist, to everybody it
    /// writes to; nothing of other kinds.
    [[nodiscard]] std::vector<Lie> lies(peer::UnitIndex edge);

    [[nodiscard]] Counts const& counts() const { return counts_; }

private:
    struct Munro {
        ChunkRange chunks;
        ByteVector hash;
        NtpTime signed_at{};
        ByteVector signature;
    };
    [[nodiscard]] Pollution draw();
    [[nodiscard]] ByteVector change_bytes(ChannelId to, std::vector<wire::Message> messages);
    [[nodiscard]] ByteVector withhold(ChannelId to, std::vector<wire::Message> messages,
                                      peer::UnitIndex edge);
    [[nodiscard]] ByteVector forge(ChannelId to, std::vector<wire::Message> messages);
    [[nodiscard]] ByteVector replay(ChannelId to, std::vector<wire::Message> messages);
    void remember_munros(std::vector<wire::Message> const& messages);
    [[nodiscard]] ByteVector rebuilt(ChannelId to, std::vector<wire::Message> const& messages);
    [[nodiscard]] wire::Have have_of(peer::UnitIndex first, peer::UnitIndex last) const;

    Config config_;
    Rng rng_;
    std::map<Endpoint, ChannelId> victims_; ///< the channel by which each is addressed
    std::deque<Munro> munros_;              ///< that it sent; oldest first
    Counts counts_;
};

} // namespace ppsp::sim
