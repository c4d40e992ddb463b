module mammoth

go 1.23
