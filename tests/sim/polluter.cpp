#include "tests/sim/polluter.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <array>

namespace ppsp::sim {
namespace {

constexpr std::size_t datagram_max = 1472;
/// Munros that can be replayed: five seconds of 50 ms.
constexpr std::size_t munros_max = 100;
/// A HAVE names so many units back from the edge.
constexpr peer::UnitIndex lie_back = 7;
/// What is announced early is so far ahead: three seconds of 50 ms.
constexpr peer::UnitIndex lie_ahead = 60;

/// Those that are drawn for `each` and `mixed`.
constexpr std::uint64_t single_kinds = static_cast<std::uint64_t>(Pollution::each);

struct Name {
    std::string_view name;
    Pollution kind;
};
constexpr std::array names{
    Name{"bytes", Pollution::bytes},   Name{"haves", Pollution::haves},
    Name{"early", Pollution::early},   Name{"signatures", Pollution::signatures},
    Name{"replay", Pollution::replay}, Name{"each", Pollution::each},
    Name{"mixed", Pollution::mixed},
};

template <typename T>
bool holds_any(std::vector<wire::Message> const& messages)
{
    return std::any_of(messages.begin(), messages.end(), [](wire::Message const& message) {
        return std::holds_alternative<T>(message);
    });
}

} // namespace

std::optional<Pollution> pollution_of(std::string_view name)
{
    for (Name const& known : names) {
        if (known.name == name) {
            return known.kind;
        }
    }
    return std::nullopt;
}

Polluter::Polluter(Config const& config, Rng rng) : config_(config), rng_(rng)
{
    if (config_.kind == Pollution::each) {
        config_.kind = static_cast<Pollution>(rng_.below(single_kinds));
    }
}

Pollution Polluter::draw()
{
    return config_.kind == Pollution::mixed ? static_cast<Pollution>(rng_.below(single_kinds))
                                            : config_.kind;
}

ByteVector Polluter::tamper(Endpoint const& to, ByteVector datagram, peer::UnitIndex edge)
{
    wire::DatagramReader reader(datagram, config_.format);
    std::vector<wire::Message> messages;
    for (auto message = reader.next();; message = reader.next()) {
        if (!message) {
            return datagram;
        }
        if (!*message) {
            break;
        }
        messages.push_back(**message);
    }
    ChannelId const channel = reader.destination().value_or(ChannelId{0});
    if (messages.empty() || holds_any<wire::Handshake>(messages)) {
        return datagram;
    }
    victims_[to] = channel;
    remember_munros(messages);
    if (!rng_.chance(config_.rate)) {
        return datagram;
    }
    ByteVector changed;
    switch (draw()) {
    case Pollution::bytes:
        changed = change_bytes(channel, std::move(messages));
        break;
    case Pollution::haves:
        changed = withhold(channel, std::move(messages), edge);
        break;
    case Pollution::early:
        changed = withhold(channel, std::move(messages), edge + lie_ahead);
        break;
    case Pollution::signatures:
        changed = forge(channel, std::move(messages));
        break;
    default:
        changed = replay(channel, std::move(messages));
        break;
    }
    return changed.empty() ? datagram : changed;
}

/// Empty, as from the other three, if there is nothing of its kind to change.
ByteVector Polluter::change_bytes(ChannelId to, std::vector<wire::Message> messages)
{
    ByteVector payload;
    for (wire::Message& message : messages) {
        auto* const data = std::get_if<wire::Data>(&message);
        if (data != nullptr && !data->payload.empty()) {
            payload.assign(data->payload.begin(), data->payload.end());
            payload[rng_.below(payload.size())] ^= static_cast<std::uint8_t>(1 + rng_.below(255));
            data->payload = payload;
            counts_.bytes += 1;
            return rebuilt(to, messages);
        }
    }
    return {};
}

ByteVector Polluter::withhold(ChannelId to, std::vector<wire::Message> messages,
                              peer::UnitIndex edge)
{
    std::erase_if(messages, [](wire::Message const& message) {
        return std::holds_alternative<wire::Data>(message);
    });
    messages.emplace_back(have_of(edge - std::min(edge, lie_back), edge));
    counts_.haves += 1;
    return rebuilt(to, messages);
}

ByteVector Polluter::forge(ChannelId to, std::vector<wire::Message> messages)
{
    ByteVector signature;
    for (wire::Message& message : messages) {
        if (auto* const munro = std::get_if<wire::SignedIntegrity>(&message)) {
            signature.assign(munro->signature.begin(), munro->signature.end());
            signature[rng_.below(signature.size())] ^= 1;
            munro->signature = signature;
            counts_.signatures += 1;
            return rebuilt(to, messages);
        }
    }
    return {};
}

ByteVector Polluter::replay(ChannelId to, std::vector<wire::Message> messages)
{
    for (std::size_t i = 1; i < messages.size(); ++i) {
        auto* const hash = std::get_if<wire::Integrity>(&messages[i - 1]);
        auto* const munro = std::get_if<wire::SignedIntegrity>(&messages[i]);
        if (hash == nullptr || munro == nullptr || munros_.front().chunks == munro->chunks) {
            continue;
        }
        Munro const& old = munros_.front();
        *hash = {old.chunks, old.hash};
        *munro = {old.chunks, old.signed_at, old.signature};
        counts_.replays += 1;
        return rebuilt(to, messages);
    }
    return {};
}

void Polluter::remember_munros(std::vector<wire::Message> const& messages)
{
    for (std::size_t i = 1; i < messages.size(); ++i) {
        auto const* hash = std::get_if<wire::Integrity>(&messages[i - 1]);
        auto const* munro = std::get_if<wire::SignedIntegrity>(&messages[i]);
        bool const pair = hash != nullptr && munro != nullptr && hash->chunks == munro->chunks;
        if (!pair || (!munros_.empty() && munros_.back().chunks == munro->chunks)) {
            continue;
        }
        munros_.push_back({munro->chunks, ByteVector(hash->hash.begin(), hash->hash.end()),
                           munro->signed_at,
                           ByteVector(munro->signature.begin(), munro->signature.end())});
        if (munros_.size() > munros_max) {
            munros_.pop_front();
        }
    }
}

/// What does not fit any more is left out: HAVEs that were added.
ByteVector Polluter::rebuilt(ChannelId to, std::vector<wire::Message> const& messages)
{
    wire::DatagramWriter writer(to, config_.format, datagram_max);
    for (wire::Message const& message : messages) {
        static_cast<void>(writer.add(message));
    }
    return writer.take();
}

wire::Have Polluter::have_of(peer::UnitIndex first, peer::UnitIndex last) const
{
    peer::UnitGrid const grid{config_.chunks_per_unit};
    return {{grid.first_chunk(first), grid.chunks(last).last}};
}

std::vector<Polluter::Lie> Polluter::lies(peer::UnitIndex edge)
{
    std::vector<Lie> all;
    Pollution const kind = draw();
    bool const lies = kind == Pollution::haves || kind == Pollution::early;
    if (!lies || edge < lie_back || !rng_.chance(config_.rate)) {
        return all;
    }
    peer::UnitIndex const last = kind == Pollution::early ? edge + lie_ahead : edge;
    for (auto const& [endpoint, channel] : victims_) {
        wire::DatagramWriter writer(channel, config_.format, datagram_max);
        PPSP_ASSERT(writer.add(have_of(edge - lie_back, last)));
        all.push_back({endpoint, writer.take()});
        counts_.haves += 1;
    }
    return all;
}

} // namespace ppsp::sim
