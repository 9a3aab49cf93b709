pub struct ListNamesFluentBuilder {}
