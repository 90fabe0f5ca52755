#pragma once

#include "peer/channel/channel.hpp"

#include <tuple>
#include <vector>

namespace ppsp::peer {

/// Who may be sent to now, and what each one's next chunk counts: a list as long as the neighbours
/// that wait for something, small enough to be gone through for each datagram without a look at the
/// neighbours themselves.
///
/// An entry is what was true when it was set. Whoever changes what a channel waits for, or what its
/// window and pace let go, sets it again; a chunk that is no longer wanted shows when it is taken.
class SendTurns {
public:
    struct Turn {
        Channel* channel = nullptr;
        RequestQueue::Urgency urgency{};
        TimePoint since{};
        std::uint32_t order = 0;

        /// More urgent first, then earlier, then by its place among those that get the same.
        [[nodiscard]] bool goes_before(Turn const& other) const
        {
            return std::tie(urgency, since, order) <
                   std::tie(other.urgency, other.since, other.order);
        }
        [[nodiscard]] bool same_as(Turn const& other) const
        {
            return std::tie(channel, urgency, since, order) ==
                   std::tie(other.channel, other.urgency, other.since, other.order);
        }
    };

    /// Adds the turn of its channel, or puts it in the place of the one before.
    void set(Turn const& turn);
    void remove(Channel const& channel);
    [[nodiscard]] bool empty() const { return turns_.empty(); }
    [[nodiscard]] std::vector<Turn> const& all() const { return turns_; }
    /// Whose turn it is; nullptr if nobody waits. Holds until the next change.
    [[nodiscard]] Turn const* next() const;

private:
    [[nodiscard]] std::vector<Turn>::iterator find(Channel const& channel);

    std::vector<Turn> turns_;
};

} // namespace ppsp::peer
