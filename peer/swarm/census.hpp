#pragma once

#include "peer/channel/channel.hpp"

#include <map>

namespace ppsp::peer {

/// How many conversations of a swarm are in which state, and which of them are with an address:
/// whoever asks pays the same with one and with ten thousand. Only through it states change.
/// As large as the swarm's list of channels.
class Census {
public:
    using Index = std::multimap<Endpoint, Channel*>;

    void add(Channel& channel);
    /// Before the channel goes.
    void remove(Channel& channel);
    /// Of a channel that was added; `initiator` does not change any more.
    void move(Channel& channel, ChannelState state);

    [[nodiscard]] std::size_t open() const { return open_; }
    /// Open ones that others began.
    [[nodiscard]] std::size_t strangers() const { return strangers_; }
    [[nodiscard]] std::size_t half_open() const { return half_open_; }
    /// Those of the address, whatever the port.
    [[nodiscard]] std::size_t half_open(Endpoint const& address) const;
    /// Channels of an endpoint, in the order in which they were added, closed ones too.
    [[nodiscard]] std::pair<Index::const_iterator, Index::const_iterator>
    of(Endpoint const& endpoint) const
    {
        return index_.equal_range(endpoint);
    }

private:
    void count(Channel const& channel, std::size_t change);

    Index index_;
    std::size_t open_ = 0;
    std::size_t strangers_ = 0;
    std::size_t half_open_ = 0;
};

} // namespace ppsp::peer
