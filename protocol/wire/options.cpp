#include "protocol/wire/options.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>

namespace ppsp::wire {
namespace {

/// RFC 7574 §7, Table 2.
enum class OptionCode : std::uint8_t {
    version = 0,
    minimum_version = 1,
    swarm_id = 2,
    integrity_method = 3,
    hash_function = 4,
    signature_algorithm = 5,
    addressing = 6,
    discard_window = 7,
    supported_messages = 8,
    chunk_size = 9,
    end = 255,
};

constexpr std::size_t bitmap_size_max = 32;

/// RFC 7574 §7.9: the window is as wide as one value of the addressing method.
bool has_wide_window(AddressingMode mode)
{
    return mode != AddressingMode::bin32 && mode != AddressingMode::chunk32;
}

/// Bytes of the bitmap once the zero bytes at its end are cut (RFC 7574 §7.10).
std::size_t bitmap_size(SupportedMessages const& types)
{
    std::size_t size = bitmap_size_max;
    while (size > 0) {
        for (std::size_t bit = 0; bit < 8; ++bit) {
            if (types[(size - 1) * 8 + bit]) {
                return size;
            }
        }
        --size;
    }
    return 0;
}

void encode_bitmap(SupportedMessages const& types, ByteWriter& writer)
{
    std::size_t const size = bitmap_size(types);
    writer.u8(static_cast<std::uint8_t>(size));
    for (std::size_t i = 0; i < size; ++i) {
        unsigned byte = 0;
        for (std::size_t bit = 0; bit < 8; ++bit) {
            byte = byte << 1 | static_cast<unsigned>(types[i * 8 + bit]);
        }
        writer.u8(static_cast<std::uint8_t>(byte));
    }
}

SupportedMessages decode_bitmap(Bytes bitmap)
{
    SupportedMessages types;
    for (std::size_t i = 0; i < bitmap.size() * 8; ++i) {
        types[i] = (bitmap[i / 8] >> (7 - i % 8) & 1) != 0;
    }
    return types;
}

class OptionWriter {
public:
    explicit OptionWriter(ByteVector& out) : writer_(out) {}

    void small(OptionCode number, std::optional<std::uint8_t> value)
    {
        if (value) {
            code(number);
            writer_.u8(*value);
        }
    }
    template <typename Enum>
    void choice(OptionCode number, std::optional<Enum> value)
    {
        if (value) {
            small(number, static_cast<std::uint8_t>(*value));
        }
    }
    void swarm_id(ByteVector const& id)
    {
        PPSP_ASSERT(id.size() <= swarm_id_size_max);
        code(OptionCode::swarm_id);
        writer_.u16(static_cast<std::uint16_t>(id.size()));
        writer_.bytes(id);
    }
    void discard_window(std::uint64_t window, AddressingMode mode)
    {
        code(OptionCode::discard_window);
        if (has_wide_window(mode)) {
            writer_.u64(window);
        } else {
            // A window wider than the numbers of the mode holds everything.
            writer_.u32(static_cast<std::uint32_t>(std::min<std::uint64_t>(window, 0xffff'ffff)));
        }
    }
    void supported_messages(SupportedMessages const& types)
    {
        code(OptionCode::supported_messages);
        encode_bitmap(types, writer_);
    }
    void chunk_size(std::uint32_t size)
    {
        code(OptionCode::chunk_size);
        writer_.u32(size);
    }
    void end() { code(OptionCode::end); }

private:
    void code(OptionCode number) { writer_.u8(static_cast<std::uint8_t>(number)); }

    ByteWriter writer_;
};

/// Reads one list; every `read_*` is false after it noted an error.
class OptionReader {
public:
    explicit OptionReader(ByteReader& reader) : reader_(&reader) {}

    Result<Options, DecodeError> read()
    {
        for (;;) {
            auto const number = reader_->u8();
            if (!number) {
                return failure(DecodeError::truncated);
            }
            auto const code = static_cast<OptionCode>(*number);
            if (code == OptionCode::end) {
                return std::move(options_);
            }
            // §7.2: the version comes first. As the codes ascend strictly, nothing repeats.
            bool const in_order = previous_ ? *number > *previous_ : code == OptionCode::version;
            if (!in_order) {
                return failure(DecodeError::bad_option);
            }
            previous_ = number;
            if (!read_option(code)) {
                return failure(error_);
            }
        }
    }

private:
    bool read_option(OptionCode code)
    {
        switch (code) {
        case OptionCode::version:
            return read_value(options_.version, reader_->u8());
        case OptionCode::minimum_version:
            return read_value(options_.minimum_version, reader_->u8());
        case OptionCode::swarm_id:
            return read_swarm_id();
        case OptionCode::integrity_method:
            return read_choice(options_.integrity_method, IntegrityMethod::unified_merkle_tree);
        case OptionCode::hash_function:
            return read_choice(options_.hash_function, HashFunction::sha512);
        case OptionCode::signature_algorithm:
            return read_signature_algorithm();
        case OptionCode::addressing:
            return read_choice(options_.addressing, AddressingMode::chunk64);
        case OptionCode::discard_window:
            return read_discard_window();
        case OptionCode::supported_messages:
            return read_supported_messages();
        case OptionCode::chunk_size:
            return read_chunk_size();
        case OptionCode::end:
            break;
        }
        return refuse(DecodeError::bad_option); // unknown: its length is unknown too (trap T5)
    }

    bool refuse(DecodeError error)
    {
        error_ = error;
        return false;
    }

    template <typename T>
    bool read_value(std::optional<T>& target, std::optional<T> value)
    {
        target = value;
        return value ? true : refuse(DecodeError::truncated);
    }

    template <typename Enum>
    bool read_choice(std::optional<Enum>& target, Enum highest)
    {
        auto const value = reader_->u8();
        if (!value) {
            return refuse(DecodeError::truncated);
        }
        if (*value > static_cast<std::uint8_t>(highest)) {
            return refuse(DecodeError::bad_option);
        }
        target = static_cast<Enum>(*value);
        return true;
    }

    bool read_signature_algorithm()
    {
        auto const value = reader_->u8();
        if (!value) {
            return refuse(DecodeError::truncated);
        }
        auto const algorithm = static_cast<SignatureAlgorithm>(*value);
        switch (algorithm) {
        case SignatureAlgorithm::rsa_sha1:
        case SignatureAlgorithm::rsa_sha256:
        case SignatureAlgorithm::ecdsa_p256_sha256:
        case SignatureAlgorithm::ecdsa_p384_sha384:
        case SignatureAlgorithm::ed25519:
        case SignatureAlgorithm::ed448:
            options_.signature_algorithm = algorithm;
            return true;
        }
        return refuse(DecodeError::bad_option);
    }

    bool read_swarm_id()
    {
        auto const size = reader_->u16();
        if (size && *size > swarm_id_size_max) {
            return refuse(DecodeError::bad_option);
        }
        auto const id = size ? reader_->take(*size) : std::nullopt;
        if (!id) {
            return refuse(DecodeError::truncated);
        }
        options_.swarm_id.emplace(id->begin(), id->end());
        return true;
    }

    bool read_discard_window()
    {
        if (!options_.addressing) {
            return refuse(DecodeError::bad_option); // §7.9: its width is not known
        }
        if (has_wide_window(*options_.addressing)) {
            return read_value(options_.discard_window, reader_->u64());
        }
        auto const window = reader_->u32();
        if (!window) {
            return refuse(DecodeError::truncated);
        }
        options_.discard_window = *window == 0xffff'ffff ? discard_window_all : *window;
        return true;
    }

    bool read_supported_messages()
    {
        auto const size = reader_->u8();
        if (size && *size > bitmap_size_max) {
            return refuse(DecodeError::bad_option);
        }
        auto const bitmap = size ? reader_->take(*size) : std::nullopt;
        if (!bitmap) {
            return refuse(DecodeError::truncated);
        }
        options_.supported_messages = decode_bitmap(*bitmap);
        return true;
    }

    bool read_chunk_size()
    {
        if (!read_value(options_.chunk_size, reader_->u32())) {
            return false;
        }
        return *options_.chunk_size > 0 ? true : refuse(DecodeError::bad_option);
    }

    ByteReader* reader_;
    Options options_;
    std::optional<std::uint8_t> previous_;
    DecodeError error_ = DecodeError::bad_option;
};

} // namespace

void encode_options(Options const& options, ByteVector& out)
{
    OptionWriter writer(out);
    writer.small(OptionCode::version, options.version);
    writer.small(OptionCode::minimum_version, options.minimum_version);
    if (options.swarm_id) {
        writer.swarm_id(*options.swarm_id);
    }
    writer.choice(OptionCode::integrity_method, options.integrity_method);
    writer.choice(OptionCode::hash_function, options.hash_function);
    writer.choice(OptionCode::signature_algorithm, options.signature_algorithm);
    writer.choice(OptionCode::addressing, options.addressing);
    if (options.discard_window) {
        PPSP_ASSERT(options.addressing.has_value());
        writer.discard_window(*options.discard_window, *options.addressing);
    }
    if (options.supported_messages) {
        writer.supported_messages(*options.supported_messages);
    }
    if (options.chunk_size) {
        writer.chunk_size(*options.chunk_size);
    }
    writer.end();
}

std::size_t encoded_size(Options const& options)
{
    constexpr std::size_t small = 2; // code and one byte
    std::size_t size = 1;            // end option
    size += options.version ? small : 0;
    size += options.minimum_version ? small : 0;
    size += options.swarm_id ? 3 + options.swarm_id->size() : 0;
    size += options.integrity_method ? small : 0;
    size += options.hash_function ? small : 0;
    size += options.signature_algorithm ? small : 0;
    size += options.addressing ? small : 0;
    if (options.discard_window) {
        size += options.addressing && has_wide_window(*options.addressing) ? 9 : 5;
    }
    size += options.supported_messages ? 2 + bitmap_size(*options.supported_messages) : 0;
    size += options.chunk_size ? 5 : 0;
    return size;
}

Result<Options, DecodeError> decode_options(ByteReader& reader)
{
    return OptionReader(reader).read();
}

} // namespace ppsp::wire
