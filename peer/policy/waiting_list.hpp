#pragma once

#include "peer/policy/substream.hpp"
#include "protocol/base/time.hpp"

#include <cstddef>
#include <optional>
#include <vector>

namespace ppsp::peer {

/// Who asked for a place in a substream lately and got none.
///
/// An offer that everybody hears is taken up by many, of whom all but one ask in vain, and who asks
/// in vain asks less often. So a place that comes free is offered to those who wait for it, to as
/// many as there are places.
class WaitingList {
public:
    /// Entries at most, over all substreams; the oldest one gives way.
    static constexpr std::size_t waiters_max = 256;
    /// Who asked longer ago found somebody, or asks again.
    static constexpr Duration patience = std::chrono::seconds{10};
    /// Who does not take an offer up by then is passed over that long: a unit of the substream and
    /// a round trip.
    static constexpr Duration answer_max = std::chrono::milliseconds{600};

    /// The peer asked in vain.
    void note(TimePoint now, PeerKey peer, std::uint32_t substream);
    /// It got a place.
    void remove(PeerKey peer, std::uint32_t substream);
    void forget(PeerKey peer);
    [[nodiscard]] std::size_t size() const { return waiters_.size(); }

    /// To whom `count` free places of the substream are offered: those of highest rank, among
    /// equals who waits longest. `rank(peer)` is nullopt for who cannot use one now.
    template <typename Rank>
    [[nodiscard]] std::vector<PeerKey> invite(TimePoint now, std::uint32_t substream,
                                              std::size_t count, Rank&& rank)
    {
        expire(now);
        std::vector<Candidate> candidates;
        for (std::size_t i = 0; i < waiters_.size(); ++i) {
            Waiter const& waiter = waiters_[i];
            bool const waits = waiter.substream == substream &&
                               (!waiter.invited || now - *waiter.invited >= answer_max);
            std::optional<double> const worth = waits ? rank(waiter.peer) : std::nullopt;
            if (worth) {
                candidates.push_back({*worth, i});
            }
        }
        return choose(now, std::move(candidates), count);
    }

private:
    struct Waiter {
        PeerKey peer{};
        std::uint32_t substream = 0;
        TimePoint asked{};
        std::optional<TimePoint> invited;
    };
    struct Candidate {
        double rank = 0;
        std::size_t place = 0; ///< in `waiters_`
    };
    void expire(TimePoint now);
    [[nodiscard]] std::vector<PeerKey> choose(TimePoint now, std::vector<Candidate> candidates,
                                              std::size_t count);

    std::vector<Waiter> waiters_; ///< who waits longest first
};

} // namespace ppsp::peer
