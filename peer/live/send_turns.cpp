#include "peer/live/send_turns.hpp"

#include <algorithm>

namespace ppsp::peer {

std::vector<SendTurns::Turn>::iterator SendTurns::find(Channel const& channel)
{
    return std::find_if(turns_.begin(), turns_.end(),
                        [&channel](Turn const& turn) { return turn.channel == &channel; });
}

void SendTurns::set(Turn const& turn)
{
    if (auto const at = find(*turn.channel); at != turns_.end()) {
        *at = turn;
    } else {
        turns_.push_back(turn);
    }
}

void SendTurns::remove(Channel const& channel)
{
    if (auto const at = find(channel); at != turns_.end()) {
        *at = turns_.back();
        turns_.pop_back();
    }
}

SendTurns::Turn const* SendTurns::next() const
{
    auto const at = std::min_element(turns_.begin(), turns_.end(),
                                     [](Turn const& a, Turn const& b) { return a.goes_before(b); });
    return at == turns_.end() ? nullptr : &*at;
}

} // namespace ppsp::peer
