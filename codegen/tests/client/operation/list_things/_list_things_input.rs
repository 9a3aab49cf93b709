pub struct ListThingsInput { pub next_token: ::std::option::Option<::std::string::String> }
