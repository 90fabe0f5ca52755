#include "protocol/integrity/openssl_hasher.hpp"

#include "protocol/integrity/openssl_ptr.hpp"

namespace ppsp::integrity {

namespace {

char const* name_of(wire::HashFunction function)
{
    switch (function) {
    case wire::HashFunction::sha1:
        return "SHA1";
    case wire::HashFunction::sha224:
        return "SHA224";
    case wire::HashFunction::sha256:
        return "SHA256";
    case wire::HashFunction::sha384:
        return "SHA384";
    case wire::HashFunction::sha512:
        return "SHA512";
    }
    PPSP_ASSERT(false);
}

// Looking the algorithm up and making a context cost as much as a hash of 64 bytes, so both are
// done once.
class OpensslHasher final : public Hasher {
public:
    explicit OpensslHasher(wire::HashFunction function)
        : md_(EVP_MD_fetch(nullptr, name_of(function), nullptr)), context_(EVP_MD_CTX_new())
    {
        PPSP_ASSERT(md_ && context_);
        PPSP_ASSERT(EVP_DigestInit_ex2(context_.get(), md_.get(), nullptr) == 1);
        size_ = static_cast<std::size_t>(EVP_MD_get_size(md_.get()));
    }

    std::size_t size() const override { return size_; }

    Hash digest(Bytes first, Bytes second) override
    {
        std::array<std::uint8_t, Hash::size_max> out;
        EVP_MD_CTX* const context = context_.get();
        bool const good = EVP_DigestInit_ex2(context, nullptr, nullptr) == 1 &&
                          EVP_DigestUpdate(context, first.data(), first.size()) == 1 &&
                          EVP_DigestUpdate(context, second.data(), second.size()) == 1 &&
                          EVP_DigestFinal_ex(context, out.data(), nullptr) == 1;
        PPSP_ASSERT(good);
        return Hash(Bytes(out).first(size_));
    }

private:
    MdPtr md_;
    MdContextPtr context_;
    std::size_t size_ = 0;
};

} // namespace

std::unique_ptr<Hasher> make_hasher(wire::HashFunction function)
{
    return std::make_unique<OpensslHasher>(function);
}

} // namespace ppsp::integrity
