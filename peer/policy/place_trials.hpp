#pragma once

#include "peer/policy/substream.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <map>

namespace ppsp::peer {

/// Who was given a substream by its source, and since when.
///
/// What a node passes on it shows only when it has it, so a neighbour that has not had the
/// substream yet is presumed to pass it on, and who has it shows that soon, or it does not.
class PlaceTrials {
public:
    /// Nodes show what they pass on every two seconds, and some of it gets lost.
    static constexpr Duration trial = std::chrono::seconds{3};
    /// Who showed nothing gets another trial that long after the last one began.
    static constexpr Duration remembered = std::chrono::seconds{30};

    /// A unit of the substream goes to the neighbour.
    void note_given(TimePoint now, PeerKey peer, std::uint32_t substream)
    {
        TimePoint& began = began_[peer][substream];
        if (began == TimePoint{} || now - began > remembered) {
            began = now;
        }
    }
    /// Whether it may still show that it passes the substream on.
    [[nodiscard]] bool is_open(TimePoint now, PeerKey peer, std::uint32_t substream) const
    {
        auto const at = began_.find(peer);
        if (at == began_.end() || at->second[substream] == TimePoint{}) {
            return true;
        }
        Duration const since = now - at->second[substream];
        return since < trial || since > remembered;
    }
    void forget(PeerKey peer) { began_.erase(peer); }
    /// Neighbours that were given something.
    [[nodiscard]] std::size_t size() const { return began_.size(); }

private:
    std::map<PeerKey, std::array<TimePoint, substreams>> began_;
};

} // namespace ppsp::peer
