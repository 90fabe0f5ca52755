#pragma once

#include "protocol/base/endpoint.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

namespace ppsp::peer {

/// Addresses we know of and how dialling them went: whom to open a conversation with next.
class NeighbourChoice {
public:
    /// PEX and trackers give more than we need; older, failed ones give way (design: 30-60).
    static constexpr std::size_t candidates_max = 60;
    static constexpr std::size_t bans_max = 256;
    static constexpr Duration ban_time = std::chrono::minutes{10};
    /// First wait after a failed handshake; doubles up to a minute.
    static constexpr Duration retry_min = std::chrono::seconds{2};
    /// Those of whom nothing is known are chosen as if they uploaded that much.
    static constexpr std::uint64_t unknown_kbps = 500;
    static constexpr Duration retry_max = std::chrono::seconds{60};
    /// Whom we left is not dialled again for that long.
    static constexpr Duration leave_time = std::chrono::seconds{20};

    /// Who named an address first, or best.
    enum class Origin : std::uint8_t {
        trusted,    ///< a tracker, a link
        introduced, ///< another peer (PEX)
    };

    explicit NeighbourChoice(Rng rng) : rng_(rng) {}

    /// False for addresses nobody should be made to send to (multicast, unspecified, port 0), for
    /// banned ones and above the limit, where those give way that failed, introduced ones to
    /// trusted ones, and trusted ones to those that a tracker named later.
    bool add(TimePoint now, Endpoint const& endpoint, Origin origin = Origin::trusted);
    /// A random candidate that is not connected, banned or waiting for its next try; the likelier
    /// the more it was proven to upload, so that every edge carries about as much (design §5.2).
    /// Without `introduced` only trusted ones; only those of at least so much proven uplink.
    [[nodiscard]] std::optional<Endpoint> next(TimePoint now, std::span<Endpoint const> connected,
                                               bool introduced = true,
                                               std::uint32_t proven_kbps_min = 0);
    /// Other peers named it and nobody else did.
    [[nodiscard]] bool is_introduced(Endpoint const& endpoint) const;
    /// Receivers' testimony about a candidate; ignored for unknown ones.
    void note_proven(Endpoint const& endpoint, std::uint32_t kbps);
    /// 0 = unknown.
    [[nodiscard]] std::uint32_t proven_kbps(Endpoint const& endpoint) const;
    void on_opened(Endpoint const& endpoint);
    /// We or they ended it: others first.
    void on_left(TimePoint now, Endpoint const& endpoint);
    void on_failed(TimePoint now, Endpoint const& endpoint);
    void ban(TimePoint now, Endpoint const& endpoint);
    [[nodiscard]] bool banned(TimePoint now, Endpoint const& endpoint) const;
    [[nodiscard]] std::size_t size() const { return candidates_.size(); }

private:
    struct Candidate {
        TimePoint next_try{};
        std::uint32_t failures = 0;
        std::uint32_t proven_kbps = 0;
        Origin origin = Origin::trusted;
        TimePoint named{}; ///< last by whom we trust, or first by others
    };
    using Candidates = std::map<Endpoint, Candidate>;
    [[nodiscard]] Candidates::iterator least_useful(Origin newcomer);
    Rng rng_;
    Candidates candidates_;
    std::map<Endpoint, TimePoint> bans_;
};

} // namespace ppsp::peer
