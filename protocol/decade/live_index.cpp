#include "protocol/decade/live_index.hpp"

#include "protocol/base/assert.hpp"
#include "protocol/decade/unit_object.hpp"
#include "protocol/ppstp/json_writer.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/value.hpp>

#include <algorithm>
#include <charconv>

namespace ppsp::decade {
namespace {

namespace json = boost::json;

constexpr std::string_view index_type = "ppsp-live-index/1";

std::string signed_text(std::string_view line)
{
    return std::string(index_type) + "\n" + std::string(line);
}

std::uint64_t to_unsigned(UnixMicros time)
{
    return static_cast<std::uint64_t>(std::max<UnixMicros>(time, 0));
}

void write_object(ppstp::JsonWriter& writer, IndexedObject const& object)
{
    writer.begin_object()
        .member("name", object.name.uri())
        .member("first", to_number(object.chunks.first))
        .member("last", to_number(object.chunks.last))
        .member("bytes", object.bytes)
        .member("first_signed_us", to_unsigned(object.first_signed))
        .member("last_signed_us", to_unsigned(object.last_signed))
        .key("random_access")
        .begin_array();
    for (auto const chunk : object.random_access) {
        writer.number(to_number(chunk));
    }
    writer.end_array().end_object();
}

std::string to_line(LiveIndex const& index)
{
    ppstp::JsonWriter writer;
    writer.begin_object()
        .member("type", index_type)
        .member("swarm", to_hex(index.swarm_id))
        .member("sequence", index.sequence)
        .member("made_us", to_unsigned(index.made_at))
        .member("chunk_size", index.chunk_size)
        .member("chunks_per_unit", index.chunks_per_unit)
        .key("objects")
        .begin_array();
    for (auto const& object : index.objects) {
        write_object(writer, object);
    }
    writer.end_array().end_object();
    return writer.take();
}

/// Reads members; once one is missing or out of bounds everything after it is, too.
class Members {
public:
    explicit Members(json::value const& value) : object_(value.if_object()) {}

    [[nodiscard]] bool is_good() const { return object_ != nullptr; }

    std::uint64_t number(char const* name, std::uint64_t max)
    {
        constexpr auto limit = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        auto const* value = find(name);
        auto const* number = value != nullptr ? value->if_int64() : nullptr;
        if (number == nullptr || *number < 0 ||
            static_cast<std::uint64_t>(*number) > std::min(max, limit)) {
            object_ = nullptr;
            return 0;
        }
        return static_cast<std::uint64_t>(*number);
    }

    UnixMicros time(char const* name)
    {
        return static_cast<UnixMicros>(number(name, ~std::uint64_t{0}));
    }

    std::string_view text(char const* name)
    {
        auto const* value = find(name);
        auto const* text = value != nullptr ? value->if_string() : nullptr;
        if (text == nullptr) {
            object_ = nullptr;
            return {};
        }
        return {text->data(), text->size()};
    }

    json::array const* array(char const* name, std::size_t size_max)
    {
        auto const* value = find(name);
        auto const* array = value != nullptr ? value->if_array() : nullptr;
        if (array == nullptr || array->size() > size_max) {
            object_ = nullptr;
            return nullptr;
        }
        return array;
    }

private:
    [[nodiscard]] json::value const* find(char const* name) const
    {
        return object_ != nullptr ? object_->if_contains(name) : nullptr;
    }

    json::object const* object_;
};

constexpr std::uint64_t chunk_max = std::uint64_t{1} << 62;

std::optional<std::vector<ChunkId>> to_random_access(json::array const& array, ChunkRange chunks)
{
    std::vector<ChunkId> list;
    for (auto const& value : array) {
        auto const* number = value.if_int64();
        if (number == nullptr || *number < 0 ||
            !chunks.contains(ChunkId{static_cast<std::uint64_t>(*number)})) {
            return std::nullopt;
        }
        list.push_back(ChunkId{static_cast<std::uint64_t>(*number)});
    }
    return list;
}

std::optional<IndexedObject> to_object(json::value const& value)
{
    Members members(value);
    auto const name = NiName::parse_uri(members.text("name"));
    ChunkRange const chunks{ChunkId{members.number("first", chunk_max)},
                            ChunkId{members.number("last", chunk_max)}};
    auto const bytes = members.number("bytes", object_size_max);
    auto const first_signed = members.time("first_signed_us");
    auto const last_signed = members.time("last_signed_us");
    auto const* listed = members.array("random_access", index_random_access_max);
    if (!members.is_good() || !name || chunks.last < chunks.first) {
        return std::nullopt;
    }
    auto random_access = to_random_access(*listed, chunks);
    if (!random_access) {
        return std::nullopt;
    }
    return IndexedObject{*name,        chunks,      bytes,
                         first_signed, last_signed, std::move(*random_access)};
}

bool is_whole_units(ChunkRange chunks, std::uint32_t chunks_per_unit)
{
    return to_number(chunks.first) % chunks_per_unit == 0 && chunks.count() % chunks_per_unit == 0;
}

bool read_objects(json::array const& array, LiveIndex& index)
{
    for (auto const& value : array) {
        auto object = to_object(value);
        bool const follows = object && (index.objects.empty() ||
                                        index.objects.back().chunks.last < object->chunks.first);
        if (!follows || !is_whole_units(object->chunks, index.chunks_per_unit)) {
            return false;
        }
        index.objects.push_back(std::move(*object));
    }
    return true;
}

std::optional<LiveIndex> from_line(std::string_view line)
{
    boost::system::error_code error;
    auto const value = json::parse(json::string_view(line.data(), line.size()), error);
    if (error) {
        return std::nullopt;
    }
    Members members(value);
    LiveIndex index;
    auto const type = members.text("type");
    auto swarm_id = from_hex(members.text("swarm"));
    index.sequence = members.number("sequence", ~std::uint64_t{0});
    index.made_at = members.time("made_us");
    index.chunk_size =
        static_cast<std::uint32_t>(members.number("chunk_size", object_chunk_size_max));
    index.chunks_per_unit =
        static_cast<std::uint32_t>(members.number("chunks_per_unit", integrity::unit_chunks_max));
    auto const* objects = members.array("objects", index_objects_max);
    if (!members.is_good() || type != index_type || !swarm_id || index.chunk_size == 0 ||
        index.chunks_per_unit == 0 || !read_objects(*objects, index)) {
        return std::nullopt;
    }
    index.swarm_id = std::move(*swarm_id);
    return index;
}

/// The second line: a JSON string of hex digits.
std::optional<ByteVector> to_signature(std::string_view line)
{
    if (line.ends_with('\n')) {
        line.remove_suffix(1);
    }
    if (line.size() < 2 || line.front() != '"' || line.back() != '"') {
        return std::nullopt;
    }
    return from_hex(line.substr(1, line.size() - 2));
}

std::optional<std::uint64_t> to_chunk(std::string_view text)
{
    std::uint64_t number = 0;
    auto const [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    bool const is_canonical = !text.empty() && (text.size() == 1 || text.front() != '0');
    bool const is_good =
        error == std::errc{} && end == text.data() + text.size() && number <= chunk_max;
    return is_canonical && is_good ? std::optional(number) : std::nullopt;
}

} // namespace

IndexedObject const* LiveIndex::find(ChunkId chunk) const
{
    auto const found = std::find_if(objects.begin(), objects.end(), [chunk](auto const& object) {
        return object.chunks.contains(chunk);
    });
    return found == objects.end() ? nullptr : &*found;
}

std::string_view to_string(IndexError error)
{
    switch (error) {
    case IndexError::too_large:
        return "the live index is too large";
    case IndexError::malformed:
        return "this is no live index";
    case IndexError::bad_signature:
        return "the live index is not what the channel's key signed";
    case IndexError::other_swarm:
        return "the live index belongs to another channel";
    }
    PPSP_ASSERT(false);
}

std::string to_text(LiveIndex const& index, integrity::Signer& signer)
{
    auto const line = to_line(index);
    auto const signature = signer.sign(as_bytes(signed_text(line)));
    return line + "\n\"" + to_hex(signature) + "\"\n";
}

Result<LiveIndex, IndexError> parse_index(std::string_view text, Bytes swarm_id,
                                          integrity::Checker& checker)
{
    if (text.size() > index_text_size_max) {
        return failure(IndexError::too_large);
    }
    auto const line_end = text.find('\n');
    if (line_end == std::string_view::npos) {
        return failure(IndexError::malformed);
    }
    auto const line = text.substr(0, line_end);
    auto const signature = to_signature(text.substr(line_end + 1));
    if (!signature) {
        return failure(IndexError::malformed);
    }
    // Nothing of it is read before the signature proved good.
    if (!checker.check(swarm_id, as_bytes(signed_text(line)), *signature)) {
        return failure(IndexError::bad_signature);
    }
    auto index = from_line(line);
    if (!index) {
        return failure(IndexError::malformed);
    }
    if (!std::equal(swarm_id.begin(), swarm_id.end(), index->swarm_id.begin(),
                    index->swarm_id.end())) {
        return failure(IndexError::other_swarm);
    }
    return std::move(*index);
}

IndexFreshness freshness(LiveIndex const& index, std::uint64_t last_sequence, UnixMicros now)
{
    if (index.sequence < last_sequence) {
        return IndexFreshness::replayed;
    }
    Duration const age{now - index.made_at};
    if (age < -index_clock_slack) {
        return IndexFreshness::from_future;
    }
    if (age - index_clock_slack > index_age_max) {
        return IndexFreshness::too_old;
    }
    return index.sequence == last_sequence ? IndexFreshness::same : IndexFreshness::fresh;
}

std::string live_path(Bytes swarm_id)
{
    return "/decade/v1/live/" + to_hex(swarm_id) + "/";
}

std::string index_path(Bytes swarm_id)
{
    return live_path(swarm_id) + "index";
}

std::string alias_path(Bytes swarm_id, ChunkRange chunks)
{
    return live_path(swarm_id) + std::to_string(to_number(chunks.first)) + "-" +
           std::to_string(to_number(chunks.last));
}

std::optional<ChunkRange> parse_alias(std::string_view text)
{
    auto const dash = text.find('-');
    if (dash == std::string_view::npos) {
        return std::nullopt;
    }
    auto const first = to_chunk(text.substr(0, dash));
    auto const last = to_chunk(text.substr(dash + 1));
    if (!first || !last || *first > *last) {
        return std::nullopt;
    }
    return ChunkRange{ChunkId{*first}, ChunkId{*last}};
}

} // namespace ppsp::decade
