#include "peer/swarm/census.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::size_t more = 1;
constexpr auto less = ~std::size_t{0}; ///< -1: unsigned numbers wrap

} // namespace

void Census::add(Channel& channel)
{
    index_.emplace(channel.endpoint, &channel);
    count(channel, more);
}

void Census::remove(Channel& channel)
{
    count(channel, less);
    auto const [first, last] = index_.equal_range(channel.endpoint);
    auto const at =
        std::find_if(first, last, [&](auto const& each) { return each.second == &channel; });
    if (at != last) {
        index_.erase(at);
    }
}

void Census::move(Channel& channel, ChannelState state)
{
    count(channel, less);
    channel.state = state;
    count(channel, more);
}

std::size_t Census::half_open(Endpoint const& address) const
{
    std::size_t found = 0;
    for (auto at = index_.lower_bound(Endpoint::v6(address.v6_address(), 0));
         at != index_.end() && at->first.same_address(address); ++at) {
        found += at->second->state == ChannelState::half_open ? 1 : 0;
    }
    return found;
}

void Census::count(Channel const& channel, std::size_t change)
{
    if (channel.state == ChannelState::half_open) {
        half_open_ += change;
    } else if (channel.is_open()) {
        open_ += change;
        strangers_ += channel.initiator ? 0 : change;
    }
}

} // namespace ppsp::peer
